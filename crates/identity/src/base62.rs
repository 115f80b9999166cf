//! Bytes as text of letters and digits alone, which survives a double click, a URL and a shell.
//!
//! Eight bytes become eleven digits: fixed widths, so that a value has one spelling and a length.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BLOCK: usize = 8;
const WIDTH: usize = 11;

/// Spells blocks of eight bytes.
pub(crate) fn encode<const BLOCKS: usize>(blocks: &[[u8; BLOCK]; BLOCKS]) -> String {
    let mut text = String::with_capacity(BLOCKS * WIDTH);
    for block in blocks {
        let mut number = u64::from_be_bytes(*block);
        let mut digits = [b'0'; WIDTH];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(number % 62) as usize];
            number /= 62;
        }
        text.extend(digits.map(char::from));
    }
    text
}

/// Reads what [`encode`] spelled; none for any other text.
pub(crate) fn decode<const BLOCKS: usize>(text: &str) -> Option<[[u8; BLOCK]; BLOCKS]> {
    let (words, []) = text.as_bytes().as_chunks::<WIDTH>() else { return None };
    let words: &[[u8; WIDTH]; BLOCKS] = words.try_into().ok()?;
    let mut blocks = [[0; BLOCK]; BLOCKS];
    for (block, word) in blocks.iter_mut().zip(words) {
        *block = word
            .iter()
            .try_fold(0_u64, |number, digit| number.checked_mul(62)?.checked_add(value(*digit)?))?
            .to_be_bytes();
    }
    Some(blocks)
}

fn value(digit: u8) -> Option<u64> {
    let value = match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'Z' => digit - b'A' + 10,
        b'a'..=b'z' => digit - b'a' + 36,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use proptest::prelude::*;

    #[test]
    fn known_spellings() {
        assert_eq!(encode(&[[0; 8], [255; 8]]), "00000000000LygHa16AHYF");
        assert_eq!(decode::<1>("00000000010"), Some([62_u64.to_be_bytes()]));
        for bad in ["", "0", "LygHa16AHYG", "zzzzzzzzzzz", "0000000000-", "000000000000", "0000000000é"] {
            assert_eq!(decode::<1>(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_spelled_is_read(blocks: [[u8; 8]; 3]) {
            let text = encode(&blocks);
            prop_assert_eq!(text.len(), 33);
            prop_assert_eq!(decode(&text), Some(blocks));
        }

        #[test]
        fn a_value_has_one_spelling(text in "[0-9A-Za-z]{11}") {
            if let Some(block) = decode::<1>(&text) {
                prop_assert_eq!(encode(&block), text);
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = decode::<9>(&text);
        }
    }
}
