//! A user name for somebody who brought none that is free here.

use provider::Profile;

/// Bytes of the part before the digits.
const LONGEST: usize = 48;
/// What names are made of where the provider tells nothing that fits.
const NAMELESS: &str = "user";

/// The name for a number of attempts: at first as the provider has it, then with more and more random digits.
pub(super) fn candidate(profile: &Profile, attempt: u32, random: u64) -> String {
    let local_part = profile.email.as_deref().and_then(|email| email.split('@').next());
    let told = [profile.username.as_deref(), local_part, profile.name.as_deref()];
    let name = told.into_iter().flatten().map(fitting).find(|name| name.len() >= 3);
    let name = name.unwrap_or_else(|| NAMELESS.to_owned());
    // Strangers called like the first of such names shall not find it free again and again.
    let digits = if name == NAMELESS { attempt + 2 } else { attempt };
    if digits == 0 {
        return name;
    }
    let digits = (digits * 2).min(16);
    format!("{name}{:0width$}", random % 10_u64.pow(digits), width = digits as usize)
}

/// What of a text may be part of a user name.
fn fitting(text: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let spaced = text.trim().chars().map(|c| if c.is_whitespace() { '.' } else { c });
    spaced.filter(allowed).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::candidate;
    use crate::fitness;
    use proptest::prelude::*;
    use provider::Profile;

    fn profile(username: Option<&str>, email: Option<&str>, name: Option<&str>) -> Profile {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Profile {
            subject: "1".to_owned(),
            email: owned(email),
            email_verified: false,
            name: owned(name),
            avatar: None,
            username: owned(username),
        }
    }

    #[test]
    fn the_best_that_is_told_comes_first() {
        let all = profile(Some("Ada"), Some("lovelace@example.com"), Some("Ada Lovelace"));
        assert_eq!(candidate(&all, 0, 7), "Ada");
        assert_eq!((candidate(&all, 1, 7), candidate(&all, 2, 123_456)), ("Ada07".into(), "Ada3456".into()));
        assert_eq!(candidate(&profile(Some("ä"), Some("a+b.c@example.com"), None), 0, 7), "ab.c");
        assert_eq!(candidate(&profile(None, None, Some("Ada Lovelace")), 0, 7), "Ada.Lovelace");
        assert_eq!(candidate(&profile(None, None, Some("愛")), 0, 7), "user0007");
    }

    proptest! {
        #[test]
        fn every_candidate_is_fit(username in ".{0,80}", email in ".{0,80}", attempt in 0_u32..20, random in any::<u64>()) {
            let name = candidate(&profile(Some(&username), Some(&email), None), attempt, random);
            prop_assert!(fitness::check_username(&name).is_ok(), "{}", name);
        }
    }
}
