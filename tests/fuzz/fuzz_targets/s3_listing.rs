//! Replies to listings of the s3 adapter, and text in its requests: no input makes it panic, hang or change a text.
#![no_main]

libfuzzer_sys::fuzz_target!(|document: &[u8]| {
    cabotage_s3::fuzzing::listing(document);
    if let Ok(text) = std::str::from_utf8(document) {
        cabotage_s3::fuzzing::escaped(text);
    }
});
