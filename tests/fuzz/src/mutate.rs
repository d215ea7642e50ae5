//! Damaging inputs: small changes that leave most of a good input as it was.

use proptest::prelude::*;

/// A change of an input. Places are fractions of its length, so that a change fits inputs of any size.
#[derive(Clone, Debug)]
pub enum Mutation {
    /// Another byte.
    Set(f64, u8),
    /// One bit flipped.
    Flip(f64, u8),
    /// A part taken out.
    Cut(f64, f64),
    /// A part doubled.
    Double(f64, f64),
    /// Bytes put in.
    Insert(f64, Vec<u8>),
    /// The end taken off.
    Truncate(f64),
}

/// Any change.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let place = || 0.0..1.0_f64;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (place(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (place(), place()).prop_map(|(from, to)| Mutation::Cut(from, to)),
        (place(), place()).prop_map(|(from, to)| Mutation::Double(from, to)),
        (place(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        // What parsers trip over: numbers at the end of their range, and signs of their own grammar.
        (place(), prop::sample::select(ODD))
            .prop_map(|(at, text)| Mutation::Insert(at, text.as_bytes().to_vec())),
        place().prop_map(Mutation::Truncate),
    ]
}

const ODD: &[&str] = &[
    "0",
    "-1",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999",
    "\0",
    "\n",
    "\n\n",
    " ",
    "/",
    "../",
    "\"",
    "[",
    "{",
    "\u{feff}",
    "é",
];

impl Mutation {
    /// Makes the change.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: &f64| ((length as f64 * at) as usize).min(length);
        match self {
            Self::Set(at, byte) => {
                if let Some(old) = bytes.get_mut(place(at)) {
                    *old = *byte;
                }
            }
            Self::Flip(at, bit) => {
                if let Some(old) = bytes.get_mut(place(at)) {
                    *old ^= 1 << bit;
                }
            }
            Self::Cut(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                bytes.drain(from..to);
            }
            Self::Double(from, to) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                let part = bytes[from..to].to_vec();
                bytes.splice(to..to, part);
            }
            Self::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Truncate(at) => bytes.truncate(place(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        #[track_caller]
        fn check(change: &Mutation, expected: &str) {
            let mut bytes = b"abcd".to_vec();
            change.apply(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
            // An empty input has no place for most changes.
            change.apply(&mut Vec::new());
        }
        check(&Mutation::Set(0.5, b'x'), "abxd");
        check(&Mutation::Flip(0.0, 1), "cbcd");
        check(&Mutation::Cut(0.75, 0.25), "ad");
        check(&Mutation::Double(0.25, 0.75), "abcbcd");
        check(&Mutation::Insert(0.5, b"xy".to_vec()), "abxycd");
        check(&Mutation::Truncate(0.25), "a");
    }
}
