//! Numbers as base62: digits, capital letters, small letters, of a fixed width.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A number in so many characters; it must fit.
pub(crate) fn encode(mut number: u128, width: usize) -> String {
    let mut text = vec![b'0'; width];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    text.into_iter().map(char::from).collect()
}

/// The number of a text. None where it has other characters or is too large.
pub(crate) fn decode(text: &str) -> Option<u128> {
    text.bytes().try_fold(0_u128, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(digit.into())
    })
}

/// So many characters, each drawn from all 62.
pub(crate) fn random(width: usize) -> String {
    (0..width).map(|_| char::from(DIGITS[rand::random_range(0..DIGITS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, random};
    use proptest::prelude::*;

    #[test]
    fn the_largest_numbers_fit_their_widths() {
        assert_eq!(encode(u128::MAX, 22), "7n42DGM5Tflk9n8mt7Fhc7");
        assert_eq!(encode(u64::MAX.into(), 11), "LygHa16AHYF");
        assert_eq!(encode(u32::MAX.into(), 6), "4gfFC3");
        assert_eq!(decode("7n42DGM5Tflk9n8mt7Fhc8"), None);
        assert_eq!(decode("a_b"), None);
    }

    #[test]
    fn every_character_is_drawn() {
        let drawn: std::collections::HashSet<_> = random(10_000).chars().collect();
        assert_eq!(drawn.len(), 62);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: u128) {
            prop_assert_eq!(decode(&encode(number, 22)), Some(number));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = decode(&text);
        }
    }
}
