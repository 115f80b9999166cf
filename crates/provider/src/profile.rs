//! What a provider tells about a user.

use serde_json::Value as Json;
use url::Url;

use crate::error::{Result, unavailable};

/// What a provider tells about a user. Only the subject lasts; all else may change at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user's id at the provider: 1 to 255 bytes.
    pub subject: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the provider says that the address is the user's, and is trusted to know.
    pub email_verified: bool,
    /// The name for people: at most 255 bytes.
    pub name: Option<String>,
    /// The picture, by `https`.
    pub avatar: Option<Url>,
    /// The user name at the provider: at most 255 bytes.
    pub username: Option<String>,
}

/// Where in a document a profile is: each a name of a field or a JSON pointer.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) email_verified: String,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) avatar: String,
    /// How a picture's URL is made of a field that holds none.
    pub(crate) avatar_form: Option<&'static str>,
}

impl Fields {
    /// The standard claims of OpenID Connect (Core, section 5.1).
    pub(crate) fn standard() -> Self {
        let [subject, email, email_verified, name, username, avatar] =
            ["sub", "email", "email_verified", "name", "preferred_username", "picture"].map(str::to_owned);
        Self { subject, email, email_verified, name, username, avatar, avatar_form: None }
    }

    /// The profile in a document. What is too long or no text is left out, except the subject.
    pub(crate) fn read(&self, document: &Json) -> Result<Profile> {
        let subject = at(document, &self.subject).and_then(subject);
        let subject = subject.ok_or_else(|| unavailable("the document about the user has no subject"))?;
        let email = at(document, &self.email).and_then(Json::as_str).and_then(address);
        let verified = at(document, &self.email_verified).is_some_and(is_true);
        let avatar = at(document, &self.avatar).and_then(Json::as_str);
        Ok(Profile {
            avatar: avatar.and_then(|avatar| self.picture(&subject, avatar)),
            email_verified: verified && email.is_some(),
            email,
            name: at(document, &self.name).and_then(Json::as_str).and_then(text),
            username: at(document, &self.username).and_then(Json::as_str).and_then(text),
            subject,
        })
    }

    fn picture(&self, subject: &str, avatar: &str) -> Option<Url> {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let url = match self.avatar_form {
            Some(form) if is_plain(subject) && is_plain(avatar) => {
                Url::parse(&form.replace("{subject}", subject).replace("{avatar}", avatar))
            }
            _ => Url::parse(avatar),
        };
        url.ok().filter(|url| url.scheme() == "https" && url.as_str().len() <= 2_048)
    }
}

/// The address that counts in a list in the way of GitHub, and whether it is verified.
pub(crate) fn primary_address(list: &Json) -> Option<(String, bool)> {
    let is_primary = |entry: &&Json| entry.get("primary").is_some_and(is_true);
    let primary = list.as_array()?.iter().find(is_primary)?;
    let address = primary.get("email").and_then(Json::as_str).and_then(address)?;
    Some((address, primary.get("verified").is_some_and(is_true)))
}

fn at<'a>(document: &'a Json, field: &str) -> Option<&'a Json> {
    if field.starts_with('/') { document.pointer(field) } else { document.get(field) }
}

/// An id is text or a whole number.
fn subject(value: &Json) -> Option<String> {
    match value {
        Json::String(subject) => text(subject),
        Json::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

fn text(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn address(address: &str) -> Option<String> {
    let fits = address.len() <= 254
        && address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && !address.chars().any(|c| c.is_control() || c.is_whitespace());
    fits.then(|| address.to_owned())
}

/// Some providers write the word.
fn is_true(value: &Json) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
