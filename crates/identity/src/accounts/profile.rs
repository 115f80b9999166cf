//! What users tell of themselves, and what fits there.

use kernel::{Error, Reason, Result};
use serde::{Deserialize, Serialize};
use store::Value;
use url::Url;
use utoipa::ToSchema;

use crate::Field;

/// What a user tells others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Profile {
    /// The telephone number.
    #[schema(example = "+49 30 901820")]
    pub(crate) phone: Option<String>,
    /// The last name.
    pub(crate) last: Option<String>,
    /// Where the picture is: an https URL, or a path on the own host.
    pub(crate) avatar: Option<String>,
    /// The name at GitHub.
    pub(crate) github: Option<String>,
    /// The name at Instagram.
    pub(crate) instagram: Option<String>,
    /// A few words about oneself.
    pub(crate) bio: Option<String>,
    /// How the user wants pages to look.
    pub(crate) theme: Option<Theme>,
}

/// How pages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
    /// As the device has it.
    Auto,
}

impl Theme {
    const fn word(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Auto => "auto",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Dark, Self::Light, Self::Auto].into_iter().find(|theme| theme.word() == word)
    }
}

/// What of a profile shall be otherwise: what is absent stays, null clears.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileChange {
    /// At most 40 digits, spaces and `+ - ( ) . / #`, with three digits at the least.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    phone: Field<String>,
    /// 1 to 200 characters on one line.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last: Field<String>,
    /// An https URL, or a path that begins with one slash; at most 500 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    avatar: Field<String>,
    /// 1 to 100 letters, digits, dots, underscores and hyphens.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    github: Field<String>,
    /// 1 to 100 letters, digits, dots, underscores and hyphens.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    instagram: Field<String>,
    /// 1 to 2,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    bio: Field<String>,
    /// `dark`, `light` or `auto`.
    #[serde(default)]
    #[schema(value_type = Option<Theme>)]
    theme: Field<Theme>,
}

impl Field<String> {
    /// A field that cannot be empty. Errors: 400 `field_invalid`.
    pub(crate) fn needed(self, name: &str) -> Result<Option<String>> {
        match self {
            Self::Kept => Ok(None),
            Self::Set(text) => Ok(Some(text)),
            Self::Cleared => Err(Error::new(Reason::FieldInvalid, "This cannot be cleared").at(name)),
        }
    }
}

/// What is wrong with a text, if anything is.
type Unfit = fn(&str) -> Option<&'static str>;

impl ProfileChange {
    /// The columns to write. Errors: 400 `field_invalid` at the field.
    pub(crate) fn checked(self) -> Result<Vec<(&'static str, Value)>> {
        let Self { phone, last, avatar, github, instagram, bio, theme } = self;
        let texts: [(_, _, Unfit); 6] = [
            ("phone", phone, unfit_phone),
            ("last", last, unfit_line),
            ("avatar", avatar, unfit_avatar),
            ("github", github, unfit_handle),
            ("instagram", instagram, unfit_handle),
            ("bio", bio, unfit_bio),
        ];
        let mut values = Vec::new();
        for (field, change, unfit) in texts {
            match change {
                Field::Kept => {}
                Field::Cleared => values.push((field, Value::Null)),
                Field::Set(text) => match unfit(&text) {
                    None => values.push((field, text.into())),
                    Some(problem) => {
                        return Err(Error::new(Reason::FieldInvalid, problem).at(format!("profile.{field}")));
                    }
                },
            }
        }
        match theme {
            Field::Kept => {}
            Field::Cleared => values.push(("theme", Value::Null)),
            Field::Set(theme) => values.push(("theme", theme.word().into())),
        }
        Ok(values)
    }
}

fn is_length(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
}

fn unfit_phone(text: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_digit() || b"+-(). /#".contains(&b);
    let fit = is_length(text, 40) && text.bytes().all(allowed) && text.bytes().filter(u8::is_ascii_digit).count() >= 3;
    (!fit).then_some("A telephone number has at most 40 digits, spaces and + - ( ) . / #")
}

fn unfit_line(text: &str) -> Option<&'static str> {
    let fit = is_length(text, 200) && !text.chars().any(char::is_control);
    (!fit).then_some("A name has 1 to 200 characters and no control characters")
}

/// Schemes other than https could run scripts, or send visitors' addresses around in the clear.
fn unfit_avatar(text: &str) -> Option<&'static str> {
    let unfit = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    let url = || Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.username().is_empty());
    let path = || text.starts_with('/') && !text.starts_with("//");
    let fit = is_length(text, 500) && !text.contains(unfit) && (path() || url());
    (!fit).then_some("A picture is an https URL or a path that begins with one slash, of at most 500 characters")
}

fn unfit_handle(text: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fit = is_length(text, 100) && text.bytes().all(allowed);
    (!fit).then_some("A name there has 1 to 100 letters, digits, dots, underscores and hyphens")
}

fn unfit_bio(text: &str) -> Option<&'static str> {
    let fit = is_length(text, 2_000) && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    (!fit).then_some("This has 1 to 2,000 characters and no control characters but line breaks and tabs")
}

#[cfg(test)]
mod tests {
    use super::ProfileChange;
    use proptest::prelude::*;
    use serde_json::json;
    use store::Value;

    fn checked(field: &str, value: &serde_json::Value) -> Result<Vec<(&'static str, Value)>, Option<String>> {
        let change: ProfileChange = serde_json::from_value(json!({ field: value })).map_err(|_| None)?;
        change.checked().map_err(|error| error.field)
    }

    #[test]
    fn what_fits_is_written_and_null_clears() {
        for (field, good) in [
            ("phone", "+49 (30) 901-820"),
            ("last", "O'Neil 🦀"),
            ("avatar", "https://pictures.example/a.png?size=2"),
            ("avatar", "/assets/me.png"),
            ("github", "octo-cat"),
            ("instagram", "a.b_c"),
            ("bio", "One line\nand another."),
            ("theme", "auto"),
        ] {
            assert_eq!(checked(field, &json!(good)).unwrap(), [(field, Value::from(good))]);
            assert_eq!(checked(field, &json!(null)).unwrap(), [(field, Value::Null)]);
        }
        assert_eq!(serde_json::from_value::<ProfileChange>(json!({})).unwrap().checked().unwrap(), []);
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        let long = "x".repeat(2_001);
        for (field, bad) in [
            ("phone", "call me"),
            ("phone", "+()"),
            ("last", ""),
            ("last", "a\0b"),
            ("avatar", "http://pictures.example/a.png"),
            ("avatar", "javascript:alert(1)"),
            ("avatar", "data:image/png;base64,AAAA"),
            ("avatar", "//pictures.example/a.png"),
            ("avatar", "/\\pictures.example"),
            ("github", "octo cat"),
            ("instagram", "@me"),
            ("bio", "bell\u{7}"),
            ("bio", &long),
        ] {
            assert_eq!(checked(field, &json!(bad)).unwrap_err(), Some(format!("profile.{field}")), "{bad}");
        }
        assert_eq!(checked("theme", &json!("purple")).unwrap_err(), None);
        assert_eq!(checked("shoe", &json!("42")).unwrap_err(), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            for field in ["phone", "last", "avatar", "github", "instagram", "bio", "theme"] {
                let _ = checked(field, &json!(text));
            }
        }
    }
}
