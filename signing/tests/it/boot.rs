//! Programs that firmware starts: ours against sbsigntool's, and what must be refused.

use std::{
    ops::Range,
    process::{Command, Output},
    sync::OnceLock,
};

use camino::Utf8Path;
use proptest::prelude::*;
use slipway_signing::{
    BootError, BootKey, BootKeyring, BootRole, Certificate, Enrolment, KeyMark, Roles,
    program_digest, sign_program, verify_program,
};

/// Makes keys once: it takes a second each.
fn key(role: BootRole) -> &'static BootKey {
    static KEYS: [OnceLock<BootKey>; 3] = [const { OnceLock::new() }; 3];
    let slot = &KEYS[BootRole::ALL.into_iter().position(|other| other == role).unwrap()];
    slot.get_or_init(|| BootKey::generate(role, KeyMark::Release).unwrap())
}

fn db() -> &'static BootKey {
    key(BootRole::Db)
}

/// The shape of a PE file.
#[derive(Clone, Debug)]
struct Shape {
    /// PE32+, else PE32.
    wide: bool,
    /// How many bytes of sections there are.
    sections: Vec<usize>,
    /// Sections begin at multiples of this.
    alignment: usize,
    /// How many bytes follow the sections.
    tail: usize,
}

/// A PE file that says of itself what firmware and tools look at, and whose content is noise.
fn program(shape: &Shape) -> Vec<u8> {
    let (directories, machine, magic) =
        if shape.wide { (112, 0x8664_u16, 0x20b_u16) } else { (96, 0x014c, 0x10b) };
    let optional_size = directories + 16 * 8;
    let table = 64 + 24 + optional_size;
    let headers = (table + shape.sections.len() * 40).next_multiple_of(shape.alignment);
    let mut out = vec![0; headers];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &64_u32.to_le_bytes());
    put(64, b"PE\0\0");
    put(68, &machine.to_le_bytes());
    put(70, &(shape.sections.len() as u16).to_le_bytes());
    put(84, &(optional_size as u16).to_le_bytes());
    put(88, &magic.to_le_bytes());
    put(88 + 36, &(shape.alignment as u32).to_le_bytes());
    put(88 + 60, &(headers as u32).to_le_bytes());
    put(88 + directories - 4, &16_u32.to_le_bytes());
    let mut at = headers;
    for (index, &size) in shape.sections.iter().enumerate() {
        let entry = table + index * 40;
        put(entry + 8, &(size as u32).to_le_bytes());
        put(entry + 16, &(size as u32).to_le_bytes());
        put(entry + 20, &(at as u32).to_le_bytes());
        at += size;
    }
    let noise = (0..at - headers + shape.tail).map(|index| (index * 7 + 13) as u8);
    out.extend(noise);
    out
}

fn plain() -> Vec<u8> {
    program(&Shape { wide: true, sections: vec![512, 1024], alignment: 512, tail: 0 })
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sections = proptest::collection::vec(0_usize..700, 0..5);
    (any::<bool>(), sections, prop::sample::select(vec![1, 2, 8, 32, 512, 4096]), 0_usize..40)
        .prop_map(|(wide, sections, alignment, tail)| Shape { wide, sections, alignment, tail })
}

/// Where the signatures of a program are.
fn table(program: &[u8], wide: bool) -> Range<usize> {
    let directory = 88 + if wide { 112 } else { 96 } + 4 * 8;
    let number = |at: usize| u32::from_le_bytes(program[at..at + 4].try_into().unwrap()) as usize;
    number(directory)..number(directory) + number(directory + 4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_shape_can_be_signed(shape in shapes()) {
        let before = program(&shape);
        prop_assert!(matches!(verify_program(&before, db().certificate()), Err(BootError::Unsigned)));
        let after = sign_program(&before, db()).unwrap();
        verify_program(&after, db().certificate()).unwrap();
        prop_assert_eq!(sign_program(&before, db()).unwrap(), &after[..], "it depends on chance");
        prop_assert_eq!(sign_program(&after, db()).unwrap(), &after[..], "a second time");
        prop_assert_eq!(program_digest(&before).unwrap(), program_digest(&after).unwrap());
        // The table is at the end, aligned; what the program does has stayed.
        let table = table(&after, shape.wide);
        prop_assert_eq!((table.start % 8, table.end), (0, after.len()));
        prop_assert_eq!(table.start, before.len().next_multiple_of(8));
        prop_assert_eq!(&after[256..before.len()], &before[256..]);
    }

    #[test]
    fn a_changed_byte_is_noticed(shape in shapes(), at: prop::sample::Index, bit in 0_u8..8) {
        let mut signed = sign_program(&program(&shape), db()).unwrap();
        let table = table(&signed, shape.wide);
        let at = at.index(table.start);
        signed[at] ^= 1 << bit;
        let checksum = 88 + 64..88 + 68;
        let digest = program_digest(&signed).ok();
        prop_assert_eq!(digest == program_digest(&program(&shape)).ok(), checksum.contains(&at));
        let result = verify_program(&signed, db().certificate());
        prop_assert_eq!(result.is_ok(), checksum.contains(&at), "{:?} at {}", result, at);
    }

    #[test]
    fn damage_among_the_signatures_is_survived(at: prop::sample::Index, bit in 0_u8..8) {
        static SIGNED: OnceLock<Vec<u8>> = OnceLock::new();
        let mut signed = SIGNED.get_or_init(|| sign_program(&plain(), db()).unwrap()).clone();
        let table = table(&signed, true);
        let at = table.start + at.index(table.len());
        signed[at] ^= 1 << bit;
        let _either = verify_program(&signed, db().certificate());
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>, after: Vec<u8>) {
        verify_program(&bytes, db().certificate()).unwrap_err();
        let mut head = plain();
        head.truncate(200);
        verify_program(&[head, after].concat(), db().certificate()).unwrap_err();
    }
}

#[test]
fn what_is_wrong_with_a_program_is_said() {
    #[track_caller]
    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let mut bytes = plain();
        change(&mut bytes);
        let error = sign_program(&bytes, db()).unwrap_err();
        assert_eq!(error.to_string(), format!("the program is no valid PE file: {expected}"));
    }
    let directory = 88 + 112 + 32;
    let section = 64 + 24 + 240;
    check(Vec::clear, "it does not begin with `MZ`");
    check(|bytes| bytes.truncate(40), "it ends within its headers");
    check(|bytes| bytes[0x3f] = 0xff, "it ends within its headers");
    check(|bytes| bytes[64] = 0, "it has no PE header");
    check(|bytes| bytes[88] = 0, "it is neither PE32 nor PE32+");
    check(|bytes| bytes[88 + 108] = 4, "it has no room for a signature in its headers");
    check(|bytes| bytes[88 + 62] = 1, "the size of its headers is wrong");
    check(|bytes| bytes[directory] = 8, "its certificate table is not at its end");
    check(|bytes| bytes[section + 22] = 1, "a section is not within the file");
    check(|bytes| bytes[section + 17] = 3, "its sections overlap");
}

#[test]
fn two_keys_can_sign_one_program() {
    let (kek, both) = (key(BootRole::Kek), sign_program(&plain(), db()).unwrap());
    let other = verify_program(&both, kek.certificate()).unwrap_err();
    assert_eq!(
        other.to_string(),
        "the program is signed, but not with the key of `Slipway Secure Boot KEK`"
    );
    let both = sign_program(&both, kek).unwrap();
    verify_program(&both, db().certificate()).unwrap();
    verify_program(&both, kek.certificate()).unwrap();
    let mut changed = both;
    changed[600] ^= 1;
    let error = verify_program(&changed, kek.certificate()).unwrap_err();
    assert!(matches!(error, BootError::Changed { .. }), "{error}");
}

/// The signature of one program in another one.
#[test]
fn a_signature_cannot_be_moved() {
    let signed = sign_program(&plain(), db()).unwrap();
    let start = table(&signed, true).start;
    let mut other = plain();
    other[700] ^= 1;
    let mut other = sign_program(&other, key(BootRole::Kek)).unwrap();
    other.truncate(start);
    other.extend(&signed[start..]);
    let error = verify_program(&other, db().certificate()).unwrap_err();
    assert!(matches!(error, BootError::Changed { .. }), "{error}");
}

/// The layout of a file that sets a variable: time, signature, list.
#[test]
fn an_enrolment_sets_three_variables() {
    let (pk, kek) = (key(BootRole::Pk), key(BootRole::Kek));
    let at =
        |time: &str| Enrolment::new(pk, kek, db().certificate(), time.parse().unwrap()).unwrap();
    let enrolment = at("2026-11-25T22:00:00Z");
    assert_eq!(enrolment, at("2026-11-25T22:00:00.9Z"));
    assert_ne!(enrolment, at("2026-11-25T22:00:01Z"));
    let mut names = Vec::new();
    for ((name, bytes), role) in enrolment.files().zip(BootRole::ALL) {
        names.push(name);
        assert_eq!(bytes[..8], [0xea, 0x07, 11, 25, 22, 0, 0, 0]);
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let list = 16 + number(16);
        // Firmware looks for SHA-256 at this place of the signature.
        assert_eq!(bytes[40 + 13..40 + 16], [0x60, 0x86, 0x48], "{name}");
        assert_eq!(number(list + 16), bytes.len() - list);
        assert_eq!(number(list + 24), bytes.len() - list - 28);
        assert_eq!(&bytes[list + 28 + 16..], key(role).certificate().der());
    }
    assert_eq!(names, ["PK.auth", "KEK.auth", "db.auth"]);
}

#[test]
fn keys_are_made_once_and_replaced_with_their_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap().join("keys");
    let roles = Roles::parse("roles.toml", include_str!("../../roles.toml")).unwrap();
    let sources = roles.secure_boot.unwrap();
    let ring = BootKeyring { sources: &sources, dir: dir.clone(), environment: &|_| None };
    let time = "2026-11-25T22:00:00Z".parse().unwrap();
    assert!(ring.enrolment().unwrap().is_none());
    for role in BootRole::ALL {
        assert!(!ring.has(role) && !ring.has_certificate(role));
        let made = ring.create(role, KeyMark::Development, None).unwrap();
        assert!(ring.has(role) && ring.has_certificate(role));
        assert_eq!(ring.certificate(role).unwrap(), *made.certificate());
        assert!(made.certificate().name().ends_with("for development"));
    }
    let again = ring.create(BootRole::Pk, KeyMark::Release, None).unwrap_err();
    assert!(again.to_string().ends_with("a key is never written over"), "{again}");
    let enrolment = ring.enrol(&mut |_| None, time).unwrap();
    assert_eq!(ring.enrolment().unwrap().as_ref(), Some(&enrolment));

    let old = ring.open(BootRole::Db, &mut |_| None).unwrap();
    assert_eq!(ring.retire(BootRole::Db).unwrap(), dir.join("secure-boot-db.pem.retired-1"));
    assert!(!ring.has(BootRole::Db) && !ring.has_certificate(BootRole::Db));
    ring.enrol(&mut |_| None, time).unwrap_err();
    let new = ring.create(BootRole::Db, KeyMark::Development, None).unwrap();
    assert_ne!(new.certificate(), old.certificate());
    // The files are of the old one.
    assert!(enrolment.enrols(BootRole::Db, old.certificate()));
    assert!(!enrolment.enrols(BootRole::Db, new.certificate()));
    assert!(!enrolment.enrols(BootRole::Kek, old.certificate()));
    assert_eq!(ring.enrolment().unwrap(), None);
    assert_ne!(ring.enrol(&mut |_| None, time).unwrap(), enrolment);
    assert!(ring.enrolment().unwrap().unwrap().enrols(BootRole::Db, new.certificate()));
}

fn have_sbsign() -> bool {
    let there = Utf8Path::new("/usr/bin/sbverify").exists();
    #[expect(clippy::disallowed_methods, reason = "tests are configured by variables")]
    let required = std::env::var_os("SLIPWAY_REQUIRE_SBSIGN").is_some();
    assert!(there || !required, "SLIPWAY_REQUIRE_SBSIGN is set; install sbsigntool");
    if !there {
        eprintln!("skipped: sbsigntool is not installed");
    }
    there
}

fn run(program: &str, args: &[&str]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "the tool under comparison")]
    Command::new(program).args(args).output().unwrap()
}

/// sbverify believes our signatures, and we believe sbsign's.
#[test]
fn sbsigntool_agrees() {
    if !have_sbsign() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| Utf8Path::from_path(dir.path()).unwrap().join(name).into_string();
    let (pem, crt, file, other) =
        (path("key.pem"), path("db.crt"), path("program.efi"), path("other.efi"));
    fs_err::write(&pem, db().to_pem(None).unwrap().as_bytes()).unwrap();
    fs_err::write(&crt, db().certificate().to_pem().unwrap()).unwrap();
    let mut programs: Vec<Vec<u8>> = [
        (true, vec![512, 1024], 512, 0),
        (true, vec![512, 1024], 512, 3),
        (true, vec![1, 2, 3], 1, 0),
        (true, vec![700, 13], 8, 5),
        (false, vec![], 512, 7),
        (false, vec![300], 32, 8),
    ]
    .into_iter()
    .map(|(wide, sections, alignment, tail)| program(&Shape { wide, sections, alignment, tail }))
    .collect();
    let systemd = Utf8Path::new("/usr/lib/systemd/boot/efi");
    for name in ["systemd-bootx64.efi", "linuxx64.efi.stub"] {
        programs.extend(fs_err::read(systemd.join(name)).ok());
    }
    for program in programs {
        let signed = sign_program(&program, db()).unwrap();
        fs_err::write(&file, &signed).unwrap();
        let verified = run("sbverify", &["--cert", &crt, &file]);
        assert!(verified.status.success(), "{} bytes: {verified:?}", program.len());

        fs_err::write(&file, &program).unwrap();
        let made = run("sbsign", &["--key", &pem, "--cert", &crt, "--output", &other, &file]);
        assert!(made.status.success(), "{made:?}");
        let theirs = fs_err::read(&other).unwrap();
        verify_program(&theirs, db().certificate()).unwrap();
        assert_eq!(program_digest(&theirs).unwrap(), program_digest(&signed).unwrap());
        let mut changed = theirs;
        changed[100] ^= 1;
        verify_program(&changed, db().certificate()).unwrap_err();
    }
}

#[test]
fn openssl_reads_the_certificate() {
    if !have_sbsign() || !Utf8Path::new("/usr/bin/openssl").exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().join("db.crt").into_string();
    fs_err::write(&path, db().certificate().to_pem().unwrap()).unwrap();
    let verified = run("openssl", &["verify", "-x509_strict", "-CAfile", &path, &path]);
    assert!(verified.status.success(), "{verified:?}");
    let shown = run("openssl", &["x509", "-noout", "-subject", "-enddate", "-in", &path]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("CN = Slipway Secure Boot db"), "{shown}");
    assert!(shown.contains("Dec 31 23:59:59 9999"), "{shown}");
    // A certificate that another program has written is read as well.
    let (other, pem) = (format!("{path}.other"), format!("{path}.pem"));
    let subject = ["-subj", "/O=Somebody/CN=Somebody else"];
    let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", &pem, "-out", &other];
    assert!(run("openssl", &[&made[..], &subject].concat()).status.success());
    let certificate = Certificate::parse(&fs_err::read(&other).unwrap()).unwrap();
    assert_eq!(certificate.name(), "Somebody else");
}
