//! Power loss in the middle of a build, simulated by killing it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

/// The packages that need no C library, so that most of the time goes into what is tested: fetching, storing, recording.
const PACKAGES: [&str; 2] = ["sys-kernel/linux-headers", "sys-libs/gcc-libs"];
/// How often the build is killed before it may end.
const KILLS: u64 = 8;

fn xtask(cache: &Utf8Path, args: &[&str]) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program finds the mirror and its home in the environment"
    )]
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["--engine", "embedded"]).args(args).env("SLIPWAY_CACHE", cache);
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    String::from_utf8(output.stdout).unwrap()
}

/// A cache that shares nothing with others but the SDK.
fn cache(sdk: &str) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    slipway_tests::caches::share_sdk(sdk, &path).unwrap();
    (dir, path)
}

/// The digests of the binary packages, which are the names of their files.
fn digests(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| line.rsplit('/').next().unwrap()).collect()
}

#[test]
fn a_build_that_is_killed_at_any_time_goes_on_to_the_same_bits() {
    if !rustix::process::geteuid().is_root() {
        #[expect(clippy::disallowed_methods, reason = "tests opt in by variable")]
        let required = std::env::var_os("SLIPWAY_REQUIRE_ROOT").is_some();
        assert!(!required, "SLIPWAY_REQUIRE_ROOT is set, but this is not root");
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "finds the user's own cache, for the SDK in it")]
    let mut sdk = Command::new(env!("CARGO_BIN_EXE_xtask"));
    sdk.args(["--engine", "embedded", "sdk", "path"]);
    let sdk = output(sdk);
    let build = [&["build-packages"][..], &PACKAGES].concat();

    // Beside the others.
    let (_kept, undisturbed) = cache(&sdk);
    let expected = std::thread::spawn({
        let build = xtask(&undisturbed, &build);
        || output(build)
    });

    let (_kept, killed) = cache(&sdk);
    let mut ended = 0;
    for kill in 0..KILLS {
        let mut command = xtask(&killed, &build);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Later each time, at odd moments: a build that gets further is killed further on.
        std::thread::sleep(Duration::from_millis(137 + kill * 1911));
        child.kill().unwrap();
        ended += u64::from(child.wait().unwrap().success());
    }
    assert!(ended < KILLS / 2, "most builds ended before they were killed, so nothing was tested");
    let got = output(xtask(&killed, &build));
    let expected = expected.join().unwrap();
    assert_eq!(digests(&expected).len(), PACKAGES.len(), "{expected}");
    assert_eq!(digests(&got), digests(&expected));

    // Nothing half-written stays; the lock of the folder does.
    for dir in ["scratch", "store/tmp"] {
        let left: Vec<_> =
            fs_err::read_dir(killed.join(dir)).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.iter().all(|path| path.ends_with(".lock")), "{left:?}");
    }
}
