//! What is said of values in the configuration that their types would let through.

use std::{fmt::Display, ops::RangeInclusive};

/// The key of a value that is not within its bounds, and what is wrong with it.
pub fn outside<T: PartialOrd + Display>(key: &str, value: &T, allowed: &RangeInclusive<T>) -> Option<(String, String)> {
    let problem = || format!("expected {} to {} and not {value}", allowed.start(), allowed.end());
    (!allowed.contains(value)).then(|| (key.to_owned(), problem()))
}

#[cfg(test)]
mod tests {
    use super::outside;
    use crate::{ByteSize, Span};

    #[test]
    fn bounds_are_told_in_the_units_of_the_value() {
        let said = outside("idle", &Span::seconds(0), &(Span::seconds(1)..=Span::seconds(86_400)));
        assert_eq!(said, Some(("idle".to_owned(), "expected 1s to 1d and not 0ms".to_owned())));
        let sizes = ByteSize(1 << 10)..=ByteSize(1 << 30);
        assert_eq!(outside("size", &ByteSize(0), &sizes).unwrap().1, "expected 1KB to 1GB and not 0B");
        for good in [1 << 10, 1 << 30] {
            assert_eq!(outside("size", &ByteSize(good), &sizes), None);
        }
    }
}
