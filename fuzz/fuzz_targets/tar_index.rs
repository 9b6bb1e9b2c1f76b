#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_fuzz::tar_index(data));
