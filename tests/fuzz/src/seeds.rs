//! Good inputs, from which damaged ones are made.

use serde_json::{Value, json};
use slipway_channels::{Artefact, ReleaseRecord, TestRun, record_digest};
use slipway_store::{
    Digest,
    archive::{Member, MemberKind, Writer},
};
use tough::schema::key::Key;

/// An archive of one folder, a program with a capability, a link to it and a device.
pub(crate) fn tar() -> Vec<Vec<u8>> {
    vec![
        archive(""),
        archive(
            "a-folder-with-a-name/that-is-too-long/for-the-first-header/of-a-member/and-so-needs-another/",
        ),
    ]
}

fn archive(root: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let member = |path: &str, kind: MemberKind, size: u64| Member {
        kind,
        ..Member::file(&format!("{root}{path}"), size)
    };
    let content = b"#!/bin/sh\nexit 0\n";
    let mut program = member("usr/bin/program", MemberKind::File, content.len() as u64);
    program.mode = 0o4755;
    program.mtime = 1_700_000_000;
    program.xattrs.insert(b"security.capability".to_vec(), b"\x01\0\0\x02\n\0".to_vec());
    let target = format!("{root}usr/bin/program").into_bytes();
    for (member, content) in [
        (member("usr/bin", MemberKind::Directory, 0), &b""[..]),
        (program, &content[..]),
        (member("usr/bin/again", MemberKind::HardLink(target), 0), &[]),
        (member("usr/bin/link", MemberKind::Symlink(b"program".to_vec()), 0), &[]),
        (member("usr/pipe", MemberKind::Fifo, 0), &[]),
    ] {
        writer.append(&member, content).unwrap();
    }
    writer.finish().unwrap()
}

/// Packages, one not compressed, one compressed.
pub(crate) fn deb() -> Vec<Vec<u8>> {
    let (control, data) = (tree(&[("control", b"Package: a\nVersion: 1\n")]), archive(""));
    let packed = zstd::encode_all(&data[..], 3).unwrap();
    let version = ("debian-binary", b"2.0\n".to_vec());
    [("data.tar", data), ("data.tar.zst", packed)]
        .map(|data| ar(&[version.clone(), ("control.tar", control.clone()), data]))
        .to_vec()
}

fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let size = content.len();
        bytes.extend(format!("{name:<16}{0:<12}{0:<6}{0:<6}100644  {size:<10}`\n", 0).into_bytes());
        bytes.extend(content);
        bytes.extend(std::iter::repeat_n(b'\n', size % 2));
    }
    bytes
}

/// An archive of files with these names.
fn tree(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, content) in files {
        writer.append(&Member::file(name, content.len() as u64), *content).unwrap();
    }
    writer.finish().unwrap()
}

/// A binary package with one program.
pub(crate) fn gpkg() -> Vec<Vec<u8>> {
    let pack = |bytes: Vec<u8>| zstd::encode_all(&bytes[..], 3).unwrap();
    let metadata = tree(&[("metadata/PF", b"a-1\n"), ("metadata/SLOT", b"0\n")]);
    let files: &[(&str, &[u8])] =
        &[("image/usr/bin/a", b"#!/bin/sh\n"), ("image/usr/share/a", b"data")];
    let gpkg = |metadata: &[u8], image: &[u8]| {
        tree(&[("a-1/gpkg-1", b""), ("a-1/metadata.tar", metadata), ("a-1/image.tar", image)])
    };
    vec![gpkg(&metadata, &tree(files)), gpkg(&pack(metadata.clone()), &pack(tree(files)))]
}

/// The repository's own files.
pub(crate) fn manifests() -> Vec<Vec<u8>> {
    [
        include_str!("../../../packages-manifest/images/minimal.toml"),
        include_str!("../../../packages-manifest/layouts/v1.toml"),
        include_str!("../../../packages-manifest/platforms/qemu.toml"),
        include_str!("../../../packages-manifest/release.toml"),
        include_str!("../../../signing/roles.toml"),
        include_str!("../../../channels/stable.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A list with what relations there are.
pub(crate) fn packages() -> Vec<Vec<u8>> {
    let digest = "0123456789abcdef".repeat(4);
    let one = format!(
        "Package: tool\nVersion: 1:2.0~rc1-3+b1\nArchitecture: amd64\nPriority: required\nEssential: yes\n\
         Pre-Depends: libc6 (>= 2.36), awk | mawk:any\nDepends: base (= 1),\n other\n\
         Conflicts: old (<< 1)\nBreaks: older (<= 0.9)\nProvides: thing, virtual (= 3)\n\
         Filename: pool/main/t/tool/tool_2.0_amd64.deb\nSize: 1234\nSHA256: {digest}\nDescription: a tool\n with text\n .\n end\n"
    );
    let two = one.replace("tool", "other").replace("1:2.0~rc1-3+b1", "0");
    vec![one.clone().into_bytes(), format!("{one}\n{two}\n# comment\n").into_bytes()]
}

/// What a release file signs.
pub(crate) fn release() -> Vec<Vec<u8>> {
    let digest = "0123456789abcdef".repeat(4);
    let text = format!(
        "Origin: Debian\nSuite: stable\nCodename: trixie\nVersion: 13.1\nDate: Sat, 06 Sep 2025 08:32:11 UTC\n\
         Valid-Until: Sat, 13 Sep 2025 08:32:11 UTC\nComponents: main\nSHA256:\n {digest} 1234 main/binary-amd64/Packages.xz\n \
         {digest}        0 main/binary-all/Packages\n"
    );
    vec![text.into_bytes()]
}

/// A file for each role, one of them with a key.
pub(crate) fn tuf() -> Vec<Vec<u8>> {
    let public = "0123456789abcdef".repeat(4);
    let key = json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}});
    let id = slipway_signing::key_id(&serde_json::from_value::<Key>(key.clone()).unwrap());
    let id = serde_json::to_value(id).unwrap().as_str().unwrap().to_owned();
    let role = json!({"keyids": [id], "threshold": 1});
    let hashes = json!({"sha256": public});
    let root = json!({
        "_type": "root", "consistent_snapshot": true, "keys": {&id: key},
        "roles": {"root": role, "snapshot": role, "targets": role, "timestamp": role},
    });
    let targets = json!({
        "_type": "targets", "targets": {"alpha/1.2.3/amd64/release.json": {"length": 5, "hashes": hashes}},
        "delegations": {"keys": {&id: key}, "roles": [
            {"name": "alpha", "keyids": [id], "threshold": 1, "paths": ["alpha/*"], "terminating": true},
        ]},
    });
    let snapshot = json!({"_type": "snapshot", "meta": {"targets.json": {"version": 1}}});
    let meta = json!({"snapshot.json": {"version": 1, "length": 10, "hashes": hashes}});
    let timestamp = json!({"_type": "timestamp", "meta": meta});
    let signature = json!({"keyid": id, "sig": "00ff"});
    [root, targets, snapshot, timestamp]
        .map(|mut signed: Value| {
            signed["spec_version"] = json!("1.0.0");
            signed["version"] = json!(1);
            signed["expires"] = json!("2030-01-01T00:00:00Z");
            json!({"signed": signed, "signatures": [signature]}).to_string().into_bytes()
        })
        .to_vec()
}

/// A release record.
pub(crate) fn record() -> Vec<Vec<u8>> {
    let disk = record_digest(Digest::of_bytes(b"disk"));
    let record = ReleaseRecord {
        schema: ReleaseRecord::SCHEMA,
        version: "4.1.0".to_owned(),
        arch: "amd64".to_owned(),
        image: "production".to_owned(),
        inputs: disk.to_string(),
        usr_root_hash: disk.to_string(),
        artefacts: [("disk.raw".to_owned(), Artefact { sha256: disk, length: 5 })].into(),
        packages: Vec::new(),
        tests: [("boot".to_owned(), TestRun { disk })].into(),
        previous: Some("4.0.0".to_owned()),
        payloads: Vec::new(),
    };
    vec![record.to_bytes().unwrap().to_vec()]
}
