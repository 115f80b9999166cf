//! Whole queries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use query::request::{Query, QueryRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<QueryRequest>(bytes) {
        let _ = Query::try_from(request);
    }
});
