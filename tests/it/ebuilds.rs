//! The ebuild repository is one for Gentoo's tools too.

use camino::Utf8Path;

use crate::support::{have_root, make_cache, root, xtask_in};

#[test]
fn the_ebuilds_pass_pkgcheck() {
    if !have_root() {
        return;
    }
    // What it takes stays for the next time.
    let cache = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("pkgcheck");
    make_cache(&cache);
    let output = xtask_in(&cache, &["tidy", "--ebuilds"]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    // Not passed because nothing was looked at.
    assert_eq!(out, "");
}

/// What Portage read out of ebuilds before is kept, and believed only while nothing has changed.
#[test]
fn a_change_of_an_ebuild_or_of_an_eclass_is_seen() {
    if !have_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let (copy, cache) = (&folder.join("copy"), folder.join("cache"));
    slipway_tests::sources::copy(&root(), copy).unwrap();
    make_cache(&cache);
    let plan = || {
        let output =
            xtask_in(&cache, &["--repository", copy.as_str(), "plan", "--image", "minimal"]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (good, said) = plan();
    assert!(good, "{said}");
    for file in ["sys-apps/less/less-668.ebuild", "eclass/meson.eclass"] {
        let path = copy.join("overlays/slipway").join(file);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, format!("{text}\nRDEPEND+=\" app-misc/missing\"\n")).unwrap();
        let (good, said) = plan();
        assert!(!good && said.contains("app-misc/missing"), "{file}: {said}");
        fs_err::write(&path, text).unwrap();
    }
    let (good, said) = plan();
    assert!(good, "{said}");

    // Changed in the very second in which it was read. What was not asked before is not answered by the store.
    let path = copy.join("overlays/slipway/sys-apps/less/less-668.ebuild");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, format!("{text}\n# {copy}\n")).unwrap();
    let (good, said) = plan();
    assert!(good, "{said}");
    let sdk = String::from_utf8(xtask_in(&cache, &["sdk", "path"]).stdout).unwrap();
    let kept =
        Utf8Path::new(sdk.trim()).with_file_name("ebuild-metadata/repos/slipway/sys-apps/less-668");
    let read = fs_err::metadata(kept).unwrap().modified().unwrap();
    fs_err::write(&path, format!("{text}\n# {copy}\nRDEPEND+=\" app-misc/missing\"\n")).unwrap();
    fs_err::File::options().write(true).open(&path).unwrap().set_modified(read).unwrap();
    let (good, said) = plan();
    assert!(!good && said.contains("app-misc/missing"), "{said}");
}
