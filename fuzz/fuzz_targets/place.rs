#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pinhole::fuzz::run("place", bytes));
