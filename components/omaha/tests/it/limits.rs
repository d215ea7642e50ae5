//! What is refused, and how the refusal reads.

use slipway_omaha::{AppId, MAX_DOCUMENT, OmahaError, Request, Response};

#[track_caller]
fn check(document: impl AsRef<[u8]>, expected: &str) {
    let error = Request::parse(document.as_ref()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

/// A request with this inside of its only application.
fn app(inner: &str) -> String {
    format!(r#"<request protocol="3.0"><app appid="a">{inner}</app></request>"#)
}

#[test]
fn size() {
    let fits = format!("<request>{}</request>", " ".repeat(MAX_DOCUMENT - 19));
    assert_eq!(fits.len(), MAX_DOCUMENT);
    assert!(Request::parse(fits.as_bytes()).is_ok());
    check(vec![b'<'; MAX_DOCUMENT + 1], "the document has 1048577 bytes; at most 1048576 are read");
    check(app(&"<x/>".repeat(10_000)), "more than 10000 elements in one document");
    let many = (0..65).map(|n| format!(" a{n}=''")).collect::<String>();
    check(format!("<request{many}/>"), "more than 64 attributes at one `request`");
    let long = "x".repeat(8193);
    check(
        format!("<request><app appid='a' machineid='{long}'/></request>"),
        "`app/@machineid` is longer than 8192 bytes",
    );
}

#[test]
fn depth() {
    let nested = |levels: usize| {
        format!("<request>{}{}</request>", "<a>".repeat(levels), "</a>".repeat(levels))
    };
    assert!(Request::parse(nested(15).as_bytes()).is_ok());
    check(nested(16), "elements nest deeper than 16 levels");
    check(nested(90_000), "elements nest deeper than 16 levels");
}

#[test]
fn encoding() {
    check(b"<request a=\"\xff\"/>", "the document is not UTF-8; no other encoding is read");
    check(b"\xff\xfe<\0r\0", "the document is not UTF-8; no other encoding is read");
    check(
        "<?xml version='1.0' encoding='latin1'?><request/>",
        "the document is not UTF-8; no other encoding is read",
    );
}

#[test]
fn entities() {
    check(
        "<!DOCTYPE r [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><request>&b;</request>",
        "a document type is not allowed",
    );
    check("<!DOCTYPE r SYSTEM 'file:///etc/passwd'><request/>", "a document type is not allowed");
    let refused =
        |name: &str| format!("the entity `{name}` is not allowed; only the five of XML itself are");
    check(app("&nbsp;"), &refused("nbsp"));
    check("<request><app appid='a' oem='&xxe;'/></request>", &refused("xxe"));
    check(
        "<request><app appid='a' oem='&#1;'/></request>",
        "`app/@oem` holds a character that XML forbids",
    );
}

#[test]
fn shape() {
    for malformed in [
        "<request>",
        "<request></app>",
        "<request a=b/>",
        "<request/><request/>",
        "x<request/>",
        "<request a='1' a='2'/>",
        "<request",
        "&#65;<request/>",
    ] {
        let error = Request::parse(malformed.as_bytes()).unwrap_err();
        assert!(matches!(error, OmahaError::Malformed { .. }), "{malformed}: {error}");
    }
    check("", "the document should be a `request`, but it is empty");
    check("<html/>", "the document should be a `request`, but it is a `html`");
    check("<request protocol='2.0'/>", "protocol version `2.0` is not understood; only 3.0 is");
    check("<request><app/></request>", "`app/@appid` is missing");
    check(app("<event eventresult='1'/>"), "`event/@eventtype` is missing");
    check(app("<event eventtype='3'/>"), "`event/@eventresult` is missing");
    check(
        app("<event eventtype='three' eventresult='1'/>"),
        "`event/@eventtype` should be a number, but it is `three`",
    );
    check(
        app("<event eventtype='3' eventresult='0' errorcode='4294967296'/>"),
        "`event/@errorcode` should be a number, but it is `4294967296`",
    );
    let error = Response::parse(b"<request/>").unwrap_err();
    assert_eq!(error.to_string(), "the document should be a `response`, but it is a `request`");
}

#[test]
fn application_identifiers() {
    for bad in ["", "{}", "{a", "a b", "../a", "<a>", &"a".repeat(129)] {
        let error = bad.parse::<AppId>().unwrap_err();
        assert!(matches!(error, OmahaError::AppId { .. }), "{bad}");
    }
    for good in ["a", "{a}", "io.example.my_app-2", &"a".repeat(128)] {
        assert_eq!(good.parse::<AppId>().unwrap().as_sent(), good);
    }
}
