//! ELF files: the executable of this test, with a byte of it changed.

use insta::assert_snapshot;
use object::{Object as _, ObjectSection as _};
use slipway_compare::{Inside, Place, What};

use crate::{
    difference, message,
    samples::{self, file, tar},
};

fn executable() -> Vec<u8> {
    fs_err::read(std::env::current_exe().unwrap()).unwrap()
}

fn patched(elf: &[u8], at: usize) -> Vec<u8> {
    let mut elf = elf.to_vec();
    elf[at] ^= 1;
    elf
}

#[track_caller]
fn check_bytes(what: &What, expected_offset: u64, expected_inside: Inside) {
    let What::Bytes { offset, first, second, inside } = what else { panic!("{what:?}") };
    assert_eq!((*offset, *inside), (expected_offset, expected_inside));
    assert_eq!((first.excerpt.len(), second.excerpt.len()), (16, 16));
    assert_eq!(first.excerpt[0] ^ 1, second.excerpt[0]);
    assert_eq!(first.excerpt[1..], second.excerpt[1..]);
}

#[test]
fn a_byte_of_a_section_is_counted_from_its_start() {
    let elf = executable();
    let sections = object::File::parse(elf.as_slice()).unwrap();
    for name in [".rodata", ".text", ".eh_frame"] {
        let (start, _) = sections.section_by_name(name).unwrap().file_range().unwrap();
        let other = patched(&elf, start as usize + 100);
        let found = difference(&elf, &other).unwrap();
        assert_eq!(found.places, [Place::Section(name.to_owned())]);
        check_bytes(&found.what, 100, Inside::Unknown);

        let packed = |elf: &[u8]| tar(&[file("usr/bin/x", elf)]);
        let found = difference(&packed(&elf), &packed(&other)).unwrap();
        let member = Place::Member("usr/bin/x".to_owned());
        assert_eq!(found.places, [member, Place::Section(name.to_owned())]);
        let start = format!("`usr/bin/x` › section `{name}`: byte 100 differs: ");
        assert!(found.to_string().starts_with(&start), "{found}");
    }
}

#[test]
fn a_byte_of_no_section_is_counted_from_the_start_of_the_file() {
    let elf = executable();
    // Padding of the ELF header.
    let found = difference(&elf, &patched(&elf, 10)).unwrap();
    assert_eq!(found.places, []);
    check_bytes(&found.what, 10, Inside::Equal);
}

#[test]
fn a_section_that_grows_is_named_and_not_those_that_it_moves() {
    let other = samples::elf(b"built on Tuesday, at eight");
    assert_snapshot!(message(&samples::elf(b"built on Monday"), &other), @r#"section `.rodata`: byte 9 differs: 4d 6f 6e 64 61 79 "Monday" and 54 75 65 73 64 61 79 2c 20 61 74 20 65 69 67 68 "Tuesday, at eigh", of 15 and 26 bytes"#);
}
