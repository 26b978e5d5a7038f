#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bintrail_fuzz_targets::json_diff(data));
