//! Which names, addresses and passwords a user may have.

use std::cmp::Ordering;

use kernel::{Error, Reason, Result, Secret};

const MAX_EMAIL: usize = 254;
const MAX_LOCAL_PART: usize = 64;
const MAX_NAME: usize = 200;

/// The commonest 10,000 passwords of at least 8 characters (shorter ones are refused anyway), from public lists: those of
/// the `SecLists` and of `zxcvbn` (MIT). In lower case, one a line, sorted by bytes.
const COMMON: &str = include_str!("common_passwords.txt");

/// Whether a line of a sorted text is this one.
fn has_line(text: &str, line: &str) -> bool {
    let (text, line) = (text.as_bytes(), line.as_bytes());
    // Both are beginnings of lines, or the end.
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let begin = text[low..middle].iter().rposition(|b| *b == b'\n').map_or(low, |before| low + before + 1);
        let end = text[begin..].iter().position(|b| *b == b'\n').map_or(text.len(), |length| begin + length);
        match text[begin..end].cmp(line) {
            Ordering::Equal => return true,
            Ordering::Less => low = (end + 1).min(high),
            Ordering::Greater => high = begin,
        }
    }
    false
}

/// 3 to 64 ASCII letters, digits, dots, underscores and hyphens. ASCII alone, because names must be told apart by eye
/// and compared alike by every database. Errors: 422 `username_unfit`.
pub(crate) fn check_username(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (3..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let message = "A user name has 3 to 64 of the letters a to z, digits, dots, underscores and hyphens";
    Err(Error::new(Reason::UsernameUnfit, message).at("username"))
}

/// An address as RFC 5321 has it, without quoted local parts and address literals. Errors: 422 `email_unfit`.
pub(crate) fn check_email(email: &str) -> Result<()> {
    let unfit = || Error::new(Reason::EmailUnfit, "This is not an e-mail address").at("email");
    let (local, domain) = email.rsplit_once('@').ok_or_else(unfit)?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let atoms = |part: &str| !part.is_empty() && part.bytes().all(atom);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let fit = email.len() <= MAX_EMAIL
        && local.len() <= MAX_LOCAL_PART
        && local.split('.').all(atoms)
        && domain.contains('.')
        && domain.split('.').all(label);
    if fit { Ok(()) } else { Err(unfit()) }
}

/// A name to show: 1 to 200 characters, none of them a control character. Errors: 400 `field_invalid`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = "A name has 1 to 200 characters and no control characters";
    Err(Error::new(Reason::FieldInvalid, message).at("name"))
}

/// 8 to 128 characters of any kind, but neither among the commonest nor the user's own name or address.
/// Errors: 422 `password_unfit`.
pub(crate) fn check_password(password: &Secret, username: &str, email: Option<&str>) -> Result<()> {
    let unfit = |message: &str| Err(Error::new(Reason::PasswordUnfit, message).at("password"));
    let password = password.expose();
    if !(8..=128).contains(&password.chars().count()) {
        return unfit("A password has 8 to 128 characters");
    }
    let folded = password.to_lowercase();
    if has_line(COMMON, &folded) {
        return unfit("This password is among the commonest; choose another one");
    }
    let own = |text: &str| folded == text.to_lowercase();
    if own(username) || email.is_some_and(own) {
        return unfit("A password may not be one's user name or e-mail address");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{COMMON, check_email, check_name, check_password, check_username, has_line};
    use kernel::{Reason, Secret};
    use proptest::prelude::*;

    #[test]
    fn user_names() {
        for good in ["bob", "Bob.Smith-2_x", &"a".repeat(64)] {
            assert!(check_username(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "a b", "bob@x", "bób", "bob\n", &"a".repeat(65)] {
            assert_eq!(check_username(bad).unwrap_err().reason, Reason::UsernameUnfit, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["a@example.com", "a.b+c@sub.example.co", "o'neil@xn--bcher-kva.example"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in
            ["", "a", "a@", "@b.c", "a@b", "a@@b.c", "a b@c.d", ".a@b.c", "a.@b.c", "a@-b.c", "a@b..c", "ä@b.c", &long]
        {
            assert_eq!(check_email(bad).unwrap_err().reason, Reason::EmailUnfit, "{bad}");
        }
    }

    #[test]
    fn names() {
        assert!(check_name("Zoë 🦀").is_ok());
        assert!(check_name("").is_err() && check_name("a\u{0}").is_err() && check_name(&"x".repeat(201)).is_err());
    }

    #[test]
    fn passwords() {
        let check = |password: &str| check_password(&Secret::new(password), "Zebra.Rider", Some("me@example.com"));
        for good in ["correct horse", "ünïcödé!", &"é".repeat(128)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["seven77", "Password1", "12345678", "zebra.rider", "ME@example.com", &"é".repeat(129)] {
            let error = check(bad).unwrap_err();
            assert_eq!((error.reason, error.field.as_deref()), (Reason::PasswordUnfit, Some("password")), "{bad}");
            assert!(!error.message.contains(bad));
        }
    }

    #[test]
    fn the_list_holds_what_can_be_refused_in_order_and_every_line_is_found() {
        let lines: Vec<_> = COMMON.lines().collect();
        assert!(lines.len() > 2_900 && lines.is_sorted_by(|before, after| before < after));
        for line in &lines {
            assert!(line.chars().count() >= 8 && **line == line.to_lowercase() && *line == line.trim(), "{line:?}");
            assert!(has_line(COMMON, line), "{line}");
            let absent = [format!("{line}~"), format!("{line}\n"), line[1..].to_owned()];
            assert!(absent.iter().all(|other| has_line(COMMON, other) == lines.contains(&&**other)), "{line}");
        }
        assert!(!has_line(COMMON, "") && !has_line("", "a") && has_line("a\nb\n", "b") && has_line("a\nb", "b"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (check_username(&text), check_email(&text), check_name(&text));
            let _ = check_password(&Secret::new(text), "name", None);
        }
    }
}
