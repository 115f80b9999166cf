//! Row rules, as operators write them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use query::rules::RuleBook;

fuzz_target!(|text: &str| {
    let _ = RuleBook::parse(text);
});
