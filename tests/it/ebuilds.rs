//! The ebuild repository is one for Gentoo's tools too.

use crate::support::{have_root, xtask};

#[test]
fn the_ebuilds_pass_pkgcheck() {
    if !have_root() {
        return;
    }
    let output = xtask(&["tidy", "--ebuilds"]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    // Not passed because nothing was looked at.
    assert_eq!(out, "");
}
