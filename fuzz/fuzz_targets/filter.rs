//! The filter language, as strangers send it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use query::request::Filter;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(filter) = serde_json::from_slice::<Filter>(bytes) {
        // What was taken has a size that can be bounded.
        assert!(filter.leaves() <= bytes.len());
        assert!(filter.depth() <= bytes.len());
    }
});
