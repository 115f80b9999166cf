//! One letter, and how it is written for the wire.

use std::{fmt, time::SystemTime};

use lettre::{
    Message,
    address::Envelope,
    message::{
        MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use uuid::Uuid;

use crate::{Address, address::on_one_line};

const MAX_SUBJECT: usize = 250;
/// Keeps the absent from answering (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// A letter to one address. `Debug` shows neither text, since letters carry tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom it goes to.
    pub to: Address,
    /// What it is about; line breaks become spaces.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
}

impl Letter {
    /// The letter as it travels, with its date and an id of its own.
    pub(crate) fn message(self, from: &Address, reply_to: Option<&Address>) -> Result<Message, lettre::error::Error> {
        let subject: String = on_one_line(&self.subject).chars().take(MAX_SUBJECT).collect();
        let id = format!("<{}@{}>", Uuid::new_v4(), from.mailbox().email.domain());
        let to = self.to.mailbox().clone();
        let mut message = Message::builder()
            .envelope(Envelope::new(Some(from.mailbox().email.clone()), vec![to.email.clone()])?)
            .from(from.mailbox().clone())
            .to(to)
            .subject(subject)
            .message_id(Some(id))
            .date(SystemTime::now())
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
        if let Some(reply_to) = reply_to {
            message = message.reply_to(reply_to.mailbox().clone());
        }
        let text = with_line_feeds(&self.text);
        match self.html {
            None => message.singlepart(SinglePart::plain(text)),
            Some(html) => message.multipart(MultiPart::alternative_plain_html(text, with_line_feeds(&html))),
        }
    }
}

/// A lone carriage return is a line break to some servers and none to others; nobody shall see one.
fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("to", &self.to).field("subject", &self.subject).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Letter;
    use crate::Address;
    use proptest::prelude::*;

    fn written(to: Address, subject: &str, text: &str) -> String {
        let letter = Letter { to, subject: subject.into(), text: text.into(), html: Some("<p>Hi</p>".into()) };
        assert!(!format!("{letter:?}").contains("<p>"));
        let from = "Insula <no-reply@localhost>".parse().unwrap();
        let reply_to = Address::new("help@localhost").unwrap();
        String::from_utf8(letter.message(&from, Some(&reply_to)).unwrap().formatted()).unwrap()
    }

    /// The header's lines, unfolded.
    fn names(message: &str) -> Vec<&str> {
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).map(|l| l.split_once(':').unwrap().0).collect()
    }

    const HEADERS: [&str; 9] =
        ["From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "Reply-To", "MIME-Version", "Content-Type"];

    #[test]
    fn a_subject_cannot_bring_a_header_along() {
        let to = Address::new("a@b.example").unwrap().named("Eve\r\nBcc: all@b.example");
        let message = written(to, "Hello\r\nBcc: all@b.example\r\n\r\nbody", "text");
        assert_eq!(names(&message), HEADERS);
        assert!(message.contains("\r\nSubject: Hello Bcc: all@b.example body\r\n"), "{message}");
    }

    proptest! {
        #[test]
        fn no_name_subject_or_text_adds_a_header_or_a_lone_line_break(
            name in "(\\PC|[\r\n\t\0\"\\\\<>,:=?]){0,80}", subject in "(\\PC|[\r\n\0=?]){0,300}", text in "(\\PC|[\r\n.]){0,200}",
        ) {
            let message = written(Address::new("a@b.example").unwrap().named(&name), &subject, &text);
            prop_assert_eq!(names(&message), HEADERS);
            let lines_apart = message.replace("\r\n", "");
            prop_assert!(!lines_apart.contains(['\r', '\n']));
        }
    }
}
