//! The promises, one function each.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio as ProcessStdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use futures::future::BoxFuture;
use slipway_engine::{
    Access, CancellationToken, Choice, EngineError, Exit, Keep, Kept, Limits, Mount, Network,
    RootFs, Stdio, User, auto,
};
use tokio::sync::mpsc::channel;

use crate::{
    GRACE,
    bench::{Bench, eventually, processes},
};

type Promise = fn(Bench) -> BoxFuture<'static, ()>;

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        /// Every promise and its name.
        pub(crate) const ALL: &[(&str, Promise)] = &[$((stringify!($name), |bench| Box::pin($name(bench)))),*];
    };
}

promises![
    exit_codes_are_passed_on,
    signals_are_told,
    output_keeps_its_order_and_streams,
    input_is_empty,
    environment_is_exactly_as_given,
    mounts_obey_their_access,
    root_is_never_written,
    network_none_is_loopback_only,
    network_host_is_the_hosts,
    user_is_as_given,
    names_are_as_given,
    working_directory_is_made,
    system_directories_are_there,
    rights_are_the_same_everywhere,
    disks_cannot_be_opened,
    memory_is_limited,
    processes_are_limited,
    cancel_ends_a_run,
    cancel_kills_the_stubborn,
    dropping_the_run_kills_it,
    nothing_is_left_in_scratch,
    two_run_at_once,
    missing_mount_source_is_an_error,
    missing_program_is_code_127,
    failed_container_can_be_kept,
    killed_parent_leaves_nothing_running,
    terminal_is_lent,
];

async fn exit_codes_are_passed_on(bench: Bench) {
    for code in [0, 1, 3, 128, 255] {
        assert_eq!(bench.sh(&format!("exit {code}")).await.exit, Exit::Code(code));
    }
}

async fn signals_are_told(bench: Bench) {
    assert_eq!(bench.sh("kill -KILL $$").await.exit, Exit::Signal(9));
    assert_eq!(bench.sh("kill -TERM $$").await.exit, Exit::Signal(15));
    assert_eq!(bench.sh("exit 130").await.exit, Exit::Signal(2));
}

async fn output_keeps_its_order_and_streams(bench: Bench) {
    let outcome = bench.sh("seq 1 20000; echo problem >&2; sleep 1; echo end").await;
    let mut expected = (1..=20000).map(|number| format!("{number}\n")).collect::<String>();
    expected.push_str("end\n");
    assert!(
        outcome.stdout == expected,
        "{} bytes instead of {}",
        outcome.stdout.len(),
        expected.len()
    );
    assert_eq!(outcome.stderr, "problem\n");
    let spread = outcome.last_output.unwrap() - outcome.first_output.unwrap();
    assert!(spread > Duration::from_millis(800), "output came in one go, within {spread:?}");

    // Whoever does not listen does not stop the program.
    let (sender, receiver) = channel(1);
    drop(receiver);
    let run = bench
        .engine
        .run(bench.script("seq 1 100000"), sender, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(run.exit, Exit::Code(0));
}

async fn input_is_empty(bench: Bench) {
    let outcome = bench.sh("cat; echo done").await;
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Exit::Code(0), "done\n"));
}

async fn environment_is_exactly_as_given(bench: Bench) {
    let check = async |env: &[(&str, &str)], expected: &[&str]| {
        let mut spec = bench.script("");
        spec.argv = vec!["/usr/bin/env".into()];
        spec.env =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let outcome = bench.run(spec).await;
        let mut lines: Vec<_> = outcome.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    };
    check(
        &[("PATH", "/usr/bin"), ("HOME", "/h"), ("A", "x=y z"), ("EMPTY", "")],
        &["A=x=y z", "EMPTY=", "HOME=/h", "PATH=/usr/bin"],
    )
    .await;
    check(&[], &["HOME=/"]).await;
}

async fn mounts_obey_their_access(bench: Bench) {
    let folder = bench.folder("mounts");
    fs::write(folder.join("seen"), "seen\n").unwrap();
    let mount =
        |target: &str, access| Mount { source: folder.clone(), target: target.into(), access };
    let mut spec =
        bench.script("cat /ro/seen; echo x > /rw/deep/written; touch /ro/new; cat /file");
    spec.mounts = vec![mount("/ro", Access::ReadOnly), mount("/rw/deep", Access::ReadWrite)];
    spec.mounts.push(Mount {
        source: folder.join("seen"),
        target: "/file".into(),
        access: Access::ReadOnly,
    });
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.stdout, "seen\nseen\n");
    assert!(outcome.stderr.contains("Read-only file system"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(folder.join("written")).unwrap(), "x\n");
    assert!(!folder.join("new").exists());
}

async fn root_is_never_written(bench: Bench) {
    let script = "ls /etc; echo changed > /etc/lower; echo new > /etc/new && rm /usr/bin/uname && cat /etc/lower";
    for _ in 0..2 {
        let outcome = bench.sh(script).await;
        assert!(
            outcome.stdout.contains("lower\n") && !outcome.stdout.contains("new\n"),
            "{}",
            outcome.stdout
        );
        assert!(outcome.stdout.ends_with("changed\n"), "{} {}", outcome.stdout, outcome.stderr);
    }
    assert_eq!(fs::read_to_string(bench.root.dir.join("etc/lower")).unwrap(), "lower\n");
    assert!(
        bench.root.dir.join("usr/bin/uname").exists() && !bench.root.dir.join("etc/new").exists()
    );
}

async fn network_none_is_loopback_only(bench: Bench) {
    let outcome = bench
        .sh("cat /proc/net/route; echo; cat /proc/net/dev; echo; cat /proc/net/fib_trie")
        .await;
    let parts: Vec<_> = outcome.stdout.split("\n\n").collect();
    assert!(parts[0].lines().count() <= 1, "there are routes: {}", parts[0]);
    let up = parts[1].lines().skip(2).map(|line| line.split(':').next().unwrap().trim());
    // Kernels with built-in tunnels give every namespace their fallback devices, which are down.
    let up: Vec<_> = up
        .filter(|name| !name.contains("tnl") && !name.contains("gre") && !name.contains("sit"))
        .collect();
    assert_eq!(up.iter().filter(|name| !name.contains("vti")).collect::<Vec<_>>(), [&"lo"]);
    assert!(parts[2].contains("127.0.0.1"), "loopback is down: {}", outcome.stdout);
    assert_eq!(bench.sh("cat /etc/resolv.conf").await.stdout, "");
    assert!(bench.sh("cat /etc/hosts").await.stdout.contains("127.0.0.1\tsdk"));
}

async fn network_host_is_the_hosts(bench: Bench) {
    let mut spec =
        bench.script("readlink /proc/self/ns/net; cat /etc/resolv.conf; touch /etc/hosts");
    spec.network = Network::Host;
    let outcome = bench.run(spec).await;
    let (namespace, resolv_conf) = outcome.stdout.split_once('\n').unwrap();
    assert_eq!(namespace, fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap());
    assert_eq!(resolv_conf, fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    assert_ne!(outcome.exit, Exit::Code(0), "the container may write to /etc/hosts");
}

async fn user_is_as_given(bench: Bench) {
    let mut spec = bench
        .script("id -u; id -g; id -G; touch /tmp/mine && stat -c %u:%g /tmp/mine; touch /etc/x");
    spec.user = User { uid: 1234, gid: 1235 };
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.stdout, "1234\n1235\n1235\n1234:1235\n", "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Permission denied"), "{}", outcome.stderr);
    assert_eq!(bench.sh("id -u; id -G").await.stdout, "0\n0\n");
}

async fn names_are_as_given(bench: Bench) {
    assert_eq!(bench.sh("uname -n; cat /etc/hostname").await.stdout, "sdk\nsdk\n");
}

async fn working_directory_is_made(bench: Bench) {
    let mut spec = bench.script("readlink /proc/self/cwd");
    spec.cwd = "/build/here".into();
    assert_eq!(bench.run(spec).await.stdout, "/build/here\n");
}

async fn system_directories_are_there(bench: Bench) {
    let outcome = bench
        .sh("ls /dev; echo; ls /sys; touch /sys/x; stat -c %a /tmp; cat /proc/sys/kernel/ostype")
        .await;
    let (devices, rest) = outcome.stdout.split_once("\n\n").unwrap();
    let devices: Vec<_> = devices.lines().collect();
    let expected = [
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom",
    ];
    for name in expected.into_iter().chain(["zero", "mqueue"]) {
        assert!(devices.contains(&name), "/dev/{name} is missing in {devices:?}");
    }
    assert!(devices.len() <= 16, "there is more in /dev than needed: {devices:?}");
    assert_eq!(rest, "1777\nLinux\n", "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Read-only"), "{}", outcome.stderr);
    let outcome = bench.sh("echo x > /dev/null; echo x > /dev/shm/x; cat /dev/shm/x; true").await;
    assert!(outcome.stdout.starts_with("x\n"), "{} {}", outcome.stdout, outcome.stderr);
}

async fn rights_are_the_same_everywhere(bench: Bench) {
    let script = "umask; ulimit -n; ulimit -c; cat /proc/self/status";
    let outcome = bench.sh(script).await;
    let wanted = |line: &&str| {
        line.starts_with("Cap") || line.starts_with("NoNewPrivs") || !line.contains(':')
    };
    let lines: Vec<_> = outcome.stdout.lines().filter(wanted).collect();
    let bounding = "00000000a80425fb";
    let caps = ["CapPrm", "CapEff", "CapBnd"].map(|name| format!("{name}:\t{bounding}"));
    let expected = ["0022", "4096", "0", "CapInh:\t0000000000000000", &caps[0], &caps[1], &caps[2]];
    assert_eq!(lines[..7], expected);
    assert_eq!(lines[7..], ["CapAmb:\t0000000000000000", "NoNewPrivs:\t0"]);
}

async fn disks_cannot_be_opened(bench: Bench) {
    if bench.choice == Choice::Embedded && fs::metadata("/sys/fs/cgroup/cgroup.controllers").is_ok()
    {
        println!("skipped: version 2 control groups do not filter devices in the embedded engine");
        return;
    }
    let device = fs::metadata(&bench.dir).unwrap().dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let outcome = bench.sh(&format!("mknod /tmp/disk b {major} {minor} && cat /tmp/disk")).await;
    assert!(outcome.stderr.contains("cat: /tmp/disk: Operation not permitted"), "{outcome:?}");
}

async fn memory_is_limited(bench: Bench) {
    let mut spec = bench.script("tail /dev/zero");
    spec.limits = Limits { memory_bytes: Some(64 << 20), pids: None };
    assert_eq!(bench.run(spec.clone()).await.exit, Exit::OutOfMemory);
    spec.argv[2] = "true".into();
    assert_eq!(bench.run(spec).await.exit, Exit::Code(0));
}

async fn processes_are_limited(bench: Bench) {
    let mut spec = bench.script("for i in $(seq 1 40); do sleep 5 & done; echo survived");
    spec.limits = Limits { memory_bytes: None, pids: Some(16) };
    let outcome = bench.run(spec).await;
    assert!(outcome.stderr.contains("annot fork"), "{outcome:?}");
    assert!(!outcome.exit.success());
}

/// Starts a script that prints something and stays, and cancels it then.
async fn cancelled(bench: &Bench, script: &str) -> (Exit, Duration) {
    let cancel = CancellationToken::new();
    let (sender, mut receiver) = channel(8);
    let run = bench.engine.run(bench.script(script), sender, cancel.clone());
    let mut since = None;
    let canceller = async {
        receiver.recv().await.unwrap();
        since = Some(Instant::now());
        cancel.cancel();
        while receiver.recv().await.is_some() {}
    };
    let (run, ()) = tokio::join!(run, canceller);
    (run.unwrap().exit, since.unwrap().elapsed())
}

async fn cancel_ends_a_run(bench: Bench) {
    let (exit, time) = cancelled(&bench, "echo up; sleep 9871; true").await;
    assert_eq!(exit, Exit::Cancelled);
    assert!(time < GRACE, "SIGTERM did not end it, in {time:?}");
    assert_eq!(processes("sleep 9871"), [""; 0]);
    assert_eq!(bench.left_in_scratch(), [""; 0]);

    let before = CancellationToken::new();
    before.cancel();
    assert_eq!(
        bench.try_run(bench.script("sleep 9876"), before).await.unwrap().exit,
        Exit::Cancelled
    );
}

async fn cancel_kills_the_stubborn(bench: Bench) {
    let (exit, time) = cancelled(&bench, "trap '' TERM; echo up; sleep 9872; sleep 9872").await;
    assert_eq!(exit, Exit::Cancelled);
    assert!(time > GRACE * 9 / 10, "it was killed without grace, after {time:?}");
    assert_eq!(processes("sleep 9872"), [""; 0]);
}

async fn dropping_the_run_kills_it(bench: Bench) {
    let (sender, mut receiver) = channel(8);
    let run = bench.engine.run(
        bench.script("echo up; sleep 9873; true"),
        sender,
        CancellationToken::new(),
    );
    tokio::select! {
        _ = run => panic!("it ended by itself"),
        chunk = receiver.recv() => assert!(chunk.is_some()),
    }
    eventually("the container is gone", || processes("sleep 9873").is_empty()).await;
    if bench.choice == Choice::Embedded {
        eventually("its files are gone", || bench.left_in_scratch().is_empty()).await;
    }
}

async fn nothing_is_left_in_scratch(bench: Bench) {
    auto(bench.choice, crate::config(&bench.dir)).await.unwrap();
    let outcome = bench.sh("mkdir -p /a/b; echo x > /a/b/c; false").await;
    assert_eq!((outcome.exit, outcome.kept), (Exit::Code(1), None));
    assert_eq!(bench.left_in_scratch(), [""; 0]);
}

async fn two_run_at_once(bench: Bench) {
    let folder = bench.folder("both");
    let spec = |mine: &str, other: &str| {
        let mut spec = bench.script(&format!(
            "touch /x/{mine}; until ls /x/{other}; do sleep 0.1; done; echo {mine}"
        ));
        spec.mounts =
            vec![Mount { source: folder.clone(), target: "/x".into(), access: Access::ReadWrite }];
        spec
    };
    let both = async { tokio::join!(bench.run(spec("one", "two")), bench.run(spec("two", "one"))) };
    let (one, two) = tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("they wait for each other");
    assert!(one.stdout.ends_with("one\n") && two.stdout.ends_with("two\n"));
}

async fn missing_mount_source_is_an_error(bench: Bench) {
    let mut spec = bench.script("echo started");
    spec.mounts =
        vec![Mount { source: "/no/such".into(), target: "/x".into(), access: Access::ReadOnly }];
    let error = bench.try_run(spec, CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::MountSourceMissing { path, .. } if path == "/no/such"),
        "{error:?}"
    );
    assert_eq!(bench.left_in_scratch(), [""; 0]);
}

async fn missing_program_is_code_127(bench: Bench) {
    for (program, expected) in [("no-such-program", 127), ("/no/such", 127), ("/etc/lower", 126)] {
        let mut spec = bench.script("");
        spec.argv = vec![program.into()];
        let outcome = bench.run(spec).await;
        assert_eq!(outcome.exit, Exit::Code(expected), "{program}");
        assert!(outcome.stderr.contains(program), "{}", outcome.stderr);
    }
}

async fn failed_container_can_be_kept(bench: Bench) {
    let folder = bench.folder("kept");
    fs::write(folder.join("it's"), "mounted\n").unwrap();
    let mut spec = bench.script("mkdir /made; echo evidence > /made/here; exit 5");
    spec.mounts =
        vec![Mount { source: folder, target: "/mounted".into(), access: Access::ReadOnly }];
    spec.env.insert("QUOTED".into(), "a 'b' c".into());
    spec.keep = Keep::OnFailure;
    spec.cwd = "/made".into();
    let mut succeeds = spec.clone();
    succeeds.argv[2] = "true".into();
    spec.argv[2] = "echo evidence > here; exit 5".into();
    assert_eq!(bench.run(succeeds).await.kept, None);
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.exit, Exit::Code(5));
    let Kept { shell_command, remove_command } = outcome.kept.unwrap();
    auto(bench.choice, crate::config(&bench.dir)).await.unwrap();
    let paste = |command: &str, input: &str| {
        // There is no terminal here, and no need to become root.
        let command = command.replace("sudo ", "").replace(" -it ", " -i ");
        host_shell(&command, input)
    };
    let answer =
        paste(&shell_command, "cat here /mounted/*; echo $QUOTED; echo x > /mounted/y\nexit\n");
    assert_eq!(answer, "evidence\nmounted\na 'b' c\n", "{shell_command}");
    paste(&remove_command, "");
    assert_eq!(bench.left_in_scratch(), [""; 0]);
}

#[expect(clippy::disallowed_methods, reason = "the test stands in for a user at a shell")]
fn host_shell(command: &str, input: &str) -> String {
    let mut child = Command::new("sh");
    let mut child =
        child.args(["-c", command]).stdin(ProcessStdio::piped()).stdout(ProcessStdio::piped());
    child = child.stderr(ProcessStdio::null());
    let mut child = child.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

async fn killed_parent_leaves_nothing_running(bench: Bench) {
    let dir = bench.folder("victim");
    let mut victim = elsewhere(&bench, crate::VICTIM, &dir, "sleep 9874; true").spawn().unwrap();
    eventually("the container runs", || !processes("sleep 9874").is_empty()).await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("the container is gone", || processes("sleep 9874").is_empty()).await;
    let scratch = dir.join(format!("scratch-{}", bench.engine.name()));
    // The next engine sweeps what is left; the embedded one has cleaned up by itself.
    if bench.choice == Choice::Docker {
        auto(bench.choice, crate::config(&dir)).await.unwrap();
    }
    eventually("its files are gone", || scratch.read_dir_utf8().unwrap().count() <= 1).await;
}

async fn terminal_is_lent(bench: Bench) {
    let dir = bench.folder("terminal");
    let script = "[ -t 0 ] && [ -t 1 ] && echo rea''dy; read line; echo got $line; exit 7";
    let shell = elsewhere(&bench, crate::SHELL, &dir, script);
    let words = std::iter::once(shell.get_program())
        .chain(shell.get_args())
        .map(|word| word.to_str().unwrap());
    let command: Vec<_> = words.map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let answer = with_terminal(&command.join(" "));
    assert!(
        answer.contains("got hello\r\n") && answer.ends_with("ended with Code(7)\r\n"),
        "{answer}"
    );

    let mut shell = elsewhere(&bench, crate::SHELL, &dir, script);
    let output = shell.stdin(ProcessStdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "got\nended with Code(7)\n");
}

/// Runs a command in a pseudo-terminal and types `hello` when it is ready.
#[expect(clippy::disallowed_methods, reason = "a tool of the host, in a test")]
fn with_terminal(command: &str) -> String {
    let mut host = Command::new("script");
    let mut host = host.args(["-qec", command, "/dev/null"]).stdin(ProcessStdio::piped());
    host = host.stdout(ProcessStdio::piped());
    let mut host = host.spawn().unwrap();
    let (mut input, mut output) = (host.stdin.take().unwrap(), host.stdout.take().unwrap());
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        let was_ready = text.windows(5).any(|window| window == b"ready");
        text.extend_from_slice(&buffer[..length]);
        if !was_ready && text.windows(5).any(|window| window == b"ready") {
            input.write_all(b"hello\n").unwrap();
        }
    }
    host.wait().unwrap();
    String::from_utf8(text).unwrap()
}

/// This program, to run a script in a container in a process of its own.
#[expect(clippy::disallowed_methods, reason = "the test needs a process that it can kill")]
fn elsewhere(bench: &Bench, role: &str, dir: &Utf8Path, script: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let root = format!("{}={}", bench.root.id, bench.root.dir);
    command
        .args([role, bench.engine.name(), dir.as_str(), &root, script])
        .stdin(ProcessStdio::null());
    command
}

/// The other side of the tests above.
pub(crate) async fn run_elsewhere(engine: &str, dir: &str, root: &str, script: &str, stdio: Stdio) {
    let choice = if engine == "docker" { Choice::Docker } else { Choice::Embedded };
    let (id, root) = root.split_once('=').unwrap();
    let dir = Utf8PathBuf::from(dir);
    let engine = auto(choice, crate::config(&dir)).await.unwrap();
    let root = RootFs { dir: root.into(), id: id.into() };
    let bench = Bench { engine, choice, root, dir };
    let mut spec = bench.script(script);
    spec.stdio = stdio;
    println!("ended with {:?}", bench.run(spec).await.exit);
}
