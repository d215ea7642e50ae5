//! Any bytes as a request and as a response: no panic, and what was read is read again from what is written of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_omaha::{Request, Response};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(Request::parse(request.to_xml().as_bytes()), Ok(request));
    }
    if let Ok(response) = Response::parse(bytes) {
        assert_eq!(Response::parse(response.to_xml().as_bytes()), Ok(response));
    }
});
