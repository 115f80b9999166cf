//! Whom a letter goes to or comes from.

use std::{fmt, str::FromStr};

use kernel::{Error, Reason};
use lettre::message::Mailbox;
use url::Host;

const MAX_EMAIL: usize = 254;
const MAX_NAME: usize = 200;

/// An e-mail address, perhaps with the name of whose it is. Nothing in it can end a header or an SMTP command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(Mailbox);

/// What was given is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an e-mail address")]
pub struct AddressError;

impl Address {
    /// The address `user@domain`, without quoted users and address literals. A domain in other letters than ASCII is
    /// turned into its ASCII form.
    pub fn new(email: &str) -> Result<Self, AddressError> {
        let unfit = |c: char| c.is_control() || c.is_whitespace() || "<>()[]\\\",;:%".contains(c);
        let (user, domain) = email.rsplit_once('@').ok_or(AddressError)?;
        if email.len() > MAX_EMAIL || domain.contains(unfit) || user.contains(|c| unfit(c) && c != '%') {
            return Err(AddressError);
        }
        let Ok(Host::Domain(domain)) = Host::parse(domain) else { return Err(AddressError) };
        let email = lettre::Address::new(user, domain).map_err(|_| AddressError)?;
        Ok(Self(Mailbox::new(None, email)))
    }

    /// The same with a name to show. Control characters become spaces and what is too long is cut, for a name that is
    /// odd is no reason to keep a letter back.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let name: String = on_one_line(name).chars().take(MAX_NAME).collect();
        self.0.name = Some(name).filter(|name| !name.is_empty());
        self
    }

    /// `user@domain`.
    pub fn email(&self) -> &str {
        self.0.email.as_ref()
    }

    /// The name to show.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `user@domain` or `Name <user@domain>`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(AddressError);
        }
        match text.strip_suffix('>').map(|text| text.split_once('<')) {
            None => Self::new(text),
            Some(None) => Err(AddressError),
            Some(Some((name, email))) => {
                let name = name.trim();
                let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
                Ok(Self::new(email)?.named(unquoted.unwrap_or(name)))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<AddressError> for Error {
    fn from(_: AddressError) -> Self {
        Self::plain(Reason::EmailUnfit).at("email")
    }
}

/// The words of a text with one space between them: no line breaks and no other control characters.
pub(crate) fn on_one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Address;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let address: Address = " \"Shop, the\" <no-reply@shop.example> ".parse().unwrap();
        assert_eq!((address.name(), address.email()), (Some("Shop, the"), "no-reply@shop.example"));
        let address: Address = "<a@localhost>".parse().unwrap();
        assert_eq!((address.name(), address.email()), (None, "a@localhost"));
        assert_eq!(Address::new("zoë@bücher.example").unwrap().email(), "zoë@xn--bcher-kva.example");
        assert_eq!(Address::new("o'neil+50%@x.example").unwrap().email(), "o'neil+50%@x.example");
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = format!("{}@x.example", "a".repeat(65));
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a b@c.example",
            "a@b c",
            "a@b@c",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\"a b\"@c.example",
            "a@c.example\r\nBcc: d@e",
            "a\0@c.example",
            "a@c.example,d@e.example",
            "a@%0d%0a.example",
            "a..b@c.example",
            "a>b@c.example",
            "a@c..example",
            "Name <a@c.example",
            "a@c.example>",
            "<<a@c.example>>",
            &long,
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_becomes_one_line() {
        let address = Address::new("a@b.example").unwrap();
        assert_eq!(address.clone().named(" Eve\r\nBcc:\tall@b.example ").name(), Some("Eve Bcc: all@b.example"));
        assert_eq!(address.clone().named("\r\n").name(), None);
        assert_eq!(address.named(&"é".repeat(900)).name().unwrap().chars().count(), 200);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_has_no_control_characters_and_reads_back(text in "\\PC*|[ -~\r\n\0]{0,40}@[a-z.\r\n<>%]{0,30}") {
            if let Ok(address) = text.parse::<Address>() {
                let bare = address.email();
                prop_assert!(!bare.contains(|c: char| c.is_control() || c.is_whitespace() || "<>,".contains(c)));
                prop_assert!(!address.to_string().contains(char::is_control));
                let again = Address::new(bare).unwrap();
                prop_assert_eq!(again.email(), bare);
            }
        }
    }
}
