//! Join conditions: whatever is taken is made of names alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use query::request::join::On;

fuzz_target!(|text: &str| {
    let Ok(On(pairs)) = text.parse::<On>() else { return };
    assert!((1..=8).contains(&pairs.len()));
    for name in pairs.iter().flat_map(|(a, b)| [&a.table, &a.column, &b.table, &b.column]) {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert!(text.contains(name.as_str()));
    }
});
