#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bintrail_fuzz_targets::transaction_payload(data));
