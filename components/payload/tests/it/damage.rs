//! What was changed on its way is refused before it is unpacked.

use std::sync::LazyLock;

use proptest::prelude::*;
use slipway_payload::{Digest, Head, PayloadError, apply, read_head};

use crate::support::{Images, noise};

static SAMPLE: LazyLock<(Images, Vec<u8>, Digest)> = LazyLock::new(|| {
    let old = Images { version: "4.0.0", usr: noise(1, 16 << 10), uki: noise(2, 3000) };
    let new = Images { version: "4.1.0", usr: noise(3, 20 << 10), uki: noise(2, 3001) };
    let (payload, written) = new.delta_from(&old);
    (old, payload, written.head)
});

fn applied(payload: &[u8]) -> Result<(), PayloadError> {
    let (old, _, head) = &*SAMPLE;
    apply(payload, Some(head), &mut old.base(), std::io::sink(), std::io::sink()).map(drop)
}

fn head_bytes() -> &'static [u8] {
    let payload = &SAMPLE.1;
    let length = u32::from_le_bytes(payload[8..12].try_into().unwrap()) as usize;
    &payload[12..12 + length]
}

#[test]
fn each_way_to_be_wrong_has_its_name() {
    #[track_caller]
    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let mut payload = SAMPLE.1.clone();
        change(&mut payload);
        let error = applied(&payload).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    check(|payload| payload[7] = 2, "this is no payload");
    check(|payload| payload.truncate(5), "this is no payload");
    check(|payload| payload.truncate(20), "this is no payload");
    check(|payload| payload[8..12].fill(0xff), "the head of the payload claims 4294967295 bytes");
    check(|payload| payload[14] ^= 1, "the head of the payload is not what was signed");
    check(|payload| *payload.last_mut().unwrap() ^= 1, "frame 1 of the payload is damaged");
    check(|payload| payload.push(0), "the payload has bytes after its last frame");
    check(
        |payload| {
            payload.pop();
        },
        "the payload ends before its frame 1",
    );
}

/// A head that its signer got wrong, or an attacker with a stolen key made: nothing of it is believed.
#[test]
fn heads_that_contradict_themselves() {
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let text = std::str::from_utf8(head_bytes()).unwrap();
        assert!(text.contains(from), "{text}");
        let error = Head::from_bytes(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let invalid = |problem: &str| format!("the payload cannot be right: {problem}");
    let unknown = "the head of the payload is not of the form that this program knows";
    check(
        "\"version\":\"4.1.0\"",
        "\"version\":\"4.1\"",
        &invalid("a version is not three numbers"),
    );
    check("\"arch\"", "\"more\":1,\"arch\"", unknown);
    check("\"block\":4096", "\"block\":512", unknown);
    check("20480", "20481", &invalid("/usr is no whole number of blocks"));
    check("20480", "0", &invalid("an image is empty"));
    check("20480", "1152921504606846976", &invalid("an image is larger than any slot"));
    check("20480", "8388608", &invalid("it has not as many frames as its images need"));
    check("[0,16384]", "[0,16385]", &invalid("a window is not within the old image"));
    check(
        "[0,16384]",
        "[16384,18446744073709551615]",
        &invalid("a window is not within the old image"),
    );
    check("[0,16384]", "[0,0]", &invalid("a window is not within the old image"));
    check("[0,16384]", "[4096,4096],[0,4096]", &invalid("a window is not within the old image"));
    check(
        "\"frames\":[{\"length\":",
        "\"frames\":[{\"length\":99999999",
        &invalid("a frame is longer than any can be"),
    );
}

#[test]
fn a_window_has_its_limit() {
    let text = std::str::from_utf8(head_bytes()).unwrap();
    let text = text.replace("\"length\":16384", "\"length\":1073741824");
    let text = text.replace("[0,16384]", "[0,12582913]");
    let error = Head::from_bytes(text.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the payload cannot be right: a window is larger than any can be"
    );
}

proptest! {
    /// Any change of any byte is noticed.
    #[test]
    fn a_changed_byte(place in any::<prop::sample::Index>(), change in 1u8..) {
        let mut payload = SAMPLE.1.clone();
        let place = place.index(payload.len());
        payload[place] ^= change;
        prop_assert!(applied(&payload).is_err());
    }

    #[test]
    fn a_shorter_payload(place in any::<prop::sample::Index>()) {
        let payload = &SAMPLE.1;
        prop_assert!(applied(&payload[..place.index(payload.len())]).is_err());
    }

    /// Nothing that is not signed brings the reader down, even if it starts like a payload.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _error = read_head(&bytes[..], None);
        let mut payload = SAMPLE.1[..8].to_vec();
        payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        payload.extend_from_slice(&bytes);
        prop_assert!(read_head(&payload[..], None).is_err());
    }

    /// A head that is changed anywhere is refused, or says something that holds together.
    #[test]
    fn a_changed_head(place in any::<prop::sample::Index>(), byte in b' '..b'~') {
        let mut bytes = head_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(head) = Head::from_bytes(&bytes) {
            let total: u64 = head.frames.iter().map(|frame| frame.unpacked).sum();
            prop_assert_eq!(total, head.usr.length + head.uki.length);
        }
    }
}
