//! The image under test, and folders for what a test leaves.

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

use camino::{Utf8Path, Utf8PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Utf8Path {
    static ROOT: OnceLock<Utf8PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize_utf8().unwrap()
    })
}

/// Cargo, in the repository.
pub(crate) fn cargo() -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo needs the environment that it was started with"
    )]
    let mut command = Command::new(env!("CARGO"));
    // Its own words would come between those of what it runs.
    command.current_dir(root()).env("CARGO_TERM_QUIET", "true");
    command
}

/// The number that a variable has, or another one.
pub(crate) fn number(variable: &str, default: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    let set = std::env::var(variable).ok();
    set.map_or(default, |text| text.parse().unwrap())
}

/// The command line: the one that runs these tests, if one does (`release --test`). Through cargo, guests would wait for whatever
/// else it builds.
pub(crate) fn xtask() -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    let program = std::env::var_os("SLIPWAY_TEST_XTASK");
    let mut command = match program {
        #[expect(
            clippy::disallowed_methods,
            reason = "it needs the environment that it was started with"
        )]
        Some(program) => Command::new(program),
        None => {
            let mut cargo = cargo();
            cargo.arg("xtask");
            cargo
        }
    };
    command.current_dir(root());
    command
}

/// The image under test.
pub(crate) fn image_name() -> String {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| "minimal".to_owned())
}

/// The disk that `SLIPWAY_TEST_DISK` names, else that of `minimal`, or of the image that `SLIPWAY_TEST_IMAGE` names; built when it
/// is not there.
pub(crate) fn image() -> &'static Utf8Path {
    static IMAGE: OnceLock<Utf8PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
        if let Ok(disk) = std::env::var("SLIPWAY_TEST_DISK") {
            return Utf8PathBuf::from(disk);
        }
        let mut command = xtask();
        let build = ["--engine", "embedded", "build-image", "--image"];
        command.args(build).arg(image_name());
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "the image cannot be built");
        let path = String::from_utf8(output.stdout).unwrap();
        Utf8PathBuf::from(path.trim()).canonicalize_utf8().unwrap()
    })
}

/// A new folder for a machine; it and the console's log beside it stay, to be looked at, until the next run.
pub(crate) fn state(name: &str) -> Utf8PathBuf {
    let dir = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("boot").join(name);
    if dir.exists() {
        fs_err::remove_dir_all(&dir).unwrap();
    }
    fs_err::create_dir_all(&dir).unwrap();
    dir
}
