//! What a build container does not see. Each check has its counterpart that shows that the thing is there to be seen.

use crate::support::{have_root, xtask};

/// Runs a script in the SDK as a build would, and compares what it prints.
#[track_caller]
fn check(script: &str, expected: &str) {
    let output = xtask(&["shell", "--", "/bin/bash", "-c", script]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{out}{err}");
    assert_eq!(out.trim(), expected, "{script}\n{err}");
}

const CROSS: &str = "x86_64-slipway-linux-gnu";

#[test]
fn a_build_sees_only_what_is_declared() {
    if !have_root() {
        return;
    }
    // A header of the SDK: its own compiler finds it, the target's does not.
    check("echo '#include <zlib.h>' | gcc -E - > /dev/null && echo found", "found");
    check(
        &format!(
            "echo '#include <zlib.h>' | {CROSS}-gcc -E - 2>&1 > /dev/null | grep -o 'zlib.h: No such file'"
        ),
        "zlib.h: No such file",
    );
    // A library.
    check(
        "ld -lz -o /dev/null 2>/dev/null; ld --verbose -lz 2>&1 | grep -c 'libz.so succeeded'",
        "1",
    );
    check(&format!("{CROSS}-ld --verbose -lz 2>&1 | grep -c 'libz.so succeeded'; true"), "0");
    // A pkg-config file.
    check("pkgconf --exists zlib && echo found", "found");
    check(&format!("{CROSS}-pkg-config --exists zlib || echo hidden"), "hidden");
    // Clock, host name, kernel.
    check("date -u +%F; hostname; uname -r", "2030-01-01\nslipway\n6.12.0-slipway");
    // The network: loopback works, nothing else is there.
    check("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; wc -l < /proc/net/route", "lo\n1");
    // The environment.
    check("env | grep -c '^CARGO' ; true", "0");
}
