//! A small root file system made of the host's own shell and tools, with the libraries that they need.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::symlink;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use slipway_engine::RootFs;

const TOOLS: &[&str] = &[
    "cat", "env", "id", "ls", "mkdir", "mknod", "readlink", "rm", "seq", "sh", "sleep", "stat",
    "tail", "touch", "true", "uname",
];

/// Builds the tree in `dir`. Its id is a digest of the programs, so that Docker imports it once.
pub(crate) fn build(dir: &Utf8Path) -> RootFs {
    let root = dir.join("root");
    for name in ["etc", "usr/bin", "lib", "lib64", "proc", "dev", "sys", "data"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    symlink("usr/bin", root.join("bin")).unwrap();
    fs::write(root.join("etc/lower"), "lower\n").unwrap();
    let mut digest = DefaultHasher::new();
    let mut libraries = BTreeSet::new();
    for tool in TOOLS {
        let source = ["/bin", "/usr/bin"].map(|dir| Utf8Path::new(dir).join(tool));
        let source = source
            .iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("the host has no `{tool}`"));
        copy(source, &root.join("usr/bin").join(tool), &mut digest);
        libraries.extend(needed(source));
    }
    for library in libraries {
        copy(&library, &root.join(library.strip_prefix("/").unwrap()), &mut digest);
    }
    RootFs { dir: root, id: format!("conformance-2-{:016x}", digest.finish()) }
}

fn copy(source: &Utf8Path, target: &Utf8Path, digest: &mut DefaultHasher) {
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(source, target).unwrap();
    digest.write(target.file_name().unwrap().as_bytes());
    digest.write(&fs::read(target).unwrap());
}

/// The libraries that the dynamic linker would load, itself included.
#[expect(clippy::disallowed_methods, reason = "a tool of the host, in a test")]
fn needed(program: &Utf8Path) -> Vec<Utf8PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|word| word.trim_end_matches(':'));
    paths.filter(|path| *path != program).map(Utf8PathBuf::from).collect()
}
