//! Fuzzes `packages`; see `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    slipway_fuzz::run("packages", data);
});
