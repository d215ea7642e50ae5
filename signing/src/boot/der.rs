//! The little of DER (X.690) that certificates and signatures consist of: elements with a tag, a length and content.

use super::oid;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A constructed element of the context, `[number]`.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Writes an element whose content is `parts`, one after the other.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    let bytes = length.to_be_bytes();
    let used = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
    match length {
        0..0x80 => out.push(length as u8),
        // A length has at most eight bytes.
        _ => {
            out.push(0x80 | used.len() as u8);
            out.extend(used);
        }
    }
    for part in parts {
        out.extend(*part);
    }
    out
}

/// Writes a sequence.
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

/// Writes an object identifier.
pub(super) fn object(oid: &[u8]) -> Vec<u8> {
    element(OID, &[oid])
}

/// Writes an algorithm that has no parameters (RFC 3279, section 2.2.1: NULL is there all the same).
pub(super) fn algorithm(oid: &[u8]) -> Vec<u8> {
    sequence(&[&object(oid), &[0x05, 0x00]])
}

/// Writes SHA-256 as an algorithm.
pub(super) fn sha256() -> Vec<u8> {
    algorithm(oid::SHA256)
}

/// An element that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element. `None` at the end, and for what is no DER.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let bytes = self.0;
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length =
                    digits.iter().fold(0_usize, |sum, &digit| sum << 8 | usize::from(digit));
                let shortest = digits.first() != Some(&0) && length >= 0x80;
                (shortest.then_some(length)?, rest)
            }
            0x80 | 0x85.. => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content, whole: &bytes[..bytes.len() - rest.len()] })
    }

    /// The next element, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.any().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// The content of the next element, if it has this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(|element| Self(element.content))
    }

    /// Whether the next element is this object identifier; it is passed over.
    pub(super) fn is(&mut self, oid: &[u8]) -> Option<()> {
        self.take(OID).filter(|element| element.content == oid).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        #[track_caller]
        fn check(length: usize, head: &[u8]) {
            let content = vec![7; length];
            let bytes = element(OCTET_STRING, &[&content]);
            assert_eq!(&bytes[..bytes.len() - length], head);
            assert_eq!(Reader(&bytes).take(OCTET_STRING).unwrap().content, content);
        }
        check(0, &[4, 0]);
        check(127, &[4, 127]);
        check(128, &[4, 0x81, 128]);
        check(255, &[4, 0x81, 255]);
        check(256, &[4, 0x82, 1, 0]);
        check(70_000, &[4, 0x83, 1, 0x11, 0x70]);
    }

    #[test]
    fn what_is_not_der_is_refused() {
        #[track_caller]
        fn check(bytes: &[u8]) {
            assert_eq!(Reader(bytes).any(), None, "{bytes:x?}");
        }
        check(&[]);
        check(&[4]);
        check(&[4, 1]);
        check(&[4, 0x80, 0, 0]);
        check(&[4, 0x81, 5, 0, 0, 0, 0, 0]);
        check(&[4, 0x82, 0, 200]);
        check(&[4, 0x85, 0, 0, 0, 0, 1, 0]);
        check(&[4, 0x84, 0xff, 0xff, 0xff, 0xff]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            while let Some(element) = reader.any() {
                prop_assert!(element.whole.ends_with(element.content));
            }
        }

        #[test]
        fn what_is_written_is_read(tag: u8, parts in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let bytes = [element(tag, &slices), vec![1, 2]].concat();
            let mut reader = Reader(&bytes);
            let read = reader.take(tag).unwrap();
            prop_assert_eq!(read.content, parts.concat());
            prop_assert_eq!(read.whole, &bytes[..bytes.len() - 2]);
            prop_assert_eq!(reader.0, [1, 2]);
        }
    }
}
