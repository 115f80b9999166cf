use jsonwebtoken::Algorithm;
use proptest::prelude::*;

use super::{half_hash, header};

#[test]
fn half_hashes_are_those_of_the_specification() {
    // OpenID Connect Core, appendix A.3.
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(half_hash(Algorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(half_hash(Algorithm::ES384, token).len(), 32);
    assert_eq!(half_hash(Algorithm::EdDSA, token).len(), 43);
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_header(text in "[A-Za-z0-9_.-]{0,200}|.{0,60}") {
        prop_assert!(header(&text, &[Algorithm::RS256]).is_err());
    }
}
