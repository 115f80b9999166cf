//! How deep foreign JSON may nest. It is never made into values here, so that only its readers could be hurt.

/// Levels of arrays and objects, as many as readers of JSON commonly take.
pub(crate) const MOST_LEVELS: usize = 128;

/// How deeply arrays and objects nest in what is JSON.
pub(crate) fn levels(text: &str) -> usize {
    let (mut level, mut most) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => {
                level += 1;
                most = most.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::levels;

    #[test]
    fn levels_are_counted_outside_of_texts() {
        for (text, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[[1],{}]}"#, 3), (r#"["[[\"[[\\",[]]"#, 2), ("[[],[]]", 2)]
        {
            assert_eq!(levels(text), expected, "{text}");
        }
    }
}
