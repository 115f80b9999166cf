//! Names of tables and columns as strangers may write them.

/// Whether a text has the form of a table's or column's name: `^[A-Za-z_][A-Za-z0-9_]{0,63}$`.
///
/// This is the form alone; whether the name exists is for the schema cache to say.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a text can name a tenant: lower-case letters, digits and single hyphens, at most 40 characters, a letter first.
pub fn is_tenant_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::{is_identifier, is_tenant_name};
    use proptest::prelude::*;

    #[test]
    fn identifiers_keep_sql_out() {
        for good in ["a", "_users", "Order", "x9", &"a".repeat(64)] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "9a", "a b", "a;b", "a\"", "a`b", "ä", "a.b", "a\0", &"a".repeat(65)] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn tenant_names_are_host_labels() {
        for good in ["a", "acme", "acme-2", &"a".repeat(40)] {
            assert!(is_tenant_name(good), "{good}");
        }
        for bad in ["", "2a", "a_b", "-a", "a-", "a--b", "Acme", "a/b", "..", &"a".repeat(41)] {
            assert!(!is_tenant_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_needs_no_quoting(text in "\\PC{0,70}") {
            if is_identifier(&text) {
                prop_assert!(text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
            }
            if is_tenant_name(&text) {
                prop_assert!(!text.contains(['/', '.', '_', '\\', '\0']));
            }
        }

        #[test]
        fn every_plain_name_is_taken(text in "[A-Za-z_][A-Za-z0-9_]{0,63}") {
            prop_assert!(is_identifier(&text));
        }
    }
}
