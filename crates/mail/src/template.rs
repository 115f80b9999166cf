//! Which letters there are, and where their words come from.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use tokio::{fs::File, io::AsyncReadExt};

use crate::{Address, Letter, render};

/// Bytes of the largest template file.
const MOST_BYTES: u64 = 64 << 10;
/// All that templates may use.
const WORDS: [&str; 12] = [
    "site",
    "domain",
    "username",
    "name",
    "address",
    "token",
    "link",
    "expires_in",
    "inviter",
    "change",
    "when",
    "client",
];

macro_rules! templates {
    ($($variant:ident $name:literal $meaning:literal,)*) => {
        /// A letter that Insula writes. The crate's documentation tells what its templates may use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Template { $(#[doc = $meaning] $variant,)* }

        impl Template {
            /// All letters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of its files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The built-in subject, text and HTML.
            const fn built_in(self) -> [&'static str; 3] {
                match self {
                    $(Self::$variant => [
                        include_str!(concat!("../templates/", $name, ".subject")),
                        include_str!(concat!("../templates/", $name, ".txt")),
                        include_str!(concat!("../templates/", $name, ".html")),
                    ],)*
                }
            }
        }
    };
}

templates! {
    VerifyEmail "verify_email" "Confirm the address of a new account.",
    ChangeEmail "change_email" "Confirm the address that an account shall have from now on; it goes there.",
    ResetPassword "reset_password" "Set another password.",
    Invitation "invitation" "Somebody made an account for you: set a password.",
    AlreadyRegistered "already_registered" "Somebody wanted to register with the address of an account.",
    PasswordChanged "password_changed" "The password was changed.",
    EmailChanged "email_changed" "The address was changed; it goes to the old one.",
    SecondFactorChanged "second_factor_changed" "The second factor was changed.",
}

/// A letter's words, filled in. `Debug` shows the subject alone, since letters carry tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML, where there is such a part.
    pub html: Option<String>,
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A tenant's file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A tenant's file is larger than 64 KiB.
    #[error("{0} is larger than 64KB")]
    TooLarge(PathBuf),
    /// What a file makes is longer than 256 KiB.
    #[error("{0} makes more than 256KB")]
    TooLong(String),
    /// A file does not follow the language, asks for what is not there, or makes too much. Tells file and line.
    #[error("{file}, line {line}: {what}")]
    Broken {
        /// The file, or the name of the built-in one.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

impl From<TemplateError> for kernel::Error {
    fn from(error: TemplateError) -> Self {
        Self::internal(error)
    }
}

/// One part of a letter: its source, and what to call it in front of people.
struct Part {
    file: String,
    source: String,
    is_theirs: bool,
}

impl Template {
    /// Fills a letter with words. Files of its name in `folder` take the place of the built-in ones.
    ///
    /// Errors: a broken or unreadable file.
    pub async fn render(self, folder: Option<&Path>, words: &impl Serialize) -> Result<Rendered, TemplateError> {
        let [subject, text, html] = self.parts(folder).await?;
        // A text of the tenant's own beside our HTML would be two letters in one.
        let html = (html.is_theirs || !text.is_theirs).then_some(html);
        Ok(Rendered {
            subject: crate::address::on_one_line(&render::fill(&subject.file, &subject.source, words)?),
            text: render::fill(&text.file, &text.source, words)?,
            html: html.map(|html| render::fill(&html.file, &html.source, words)).transpose()?,
        })
    }

    async fn parts(self, folder: Option<&Path>) -> Result<[Part; 3], TemplateError> {
        let [subject, text, html] = self.built_in();
        Ok([
            self.part(folder, "subject", subject).await?,
            self.part(folder, "txt", text).await?,
            self.part(folder, "html", html).await?,
        ])
    }

    async fn part(self, folder: Option<&Path>, ending: &str, built_in: &str) -> Result<Part, TemplateError> {
        let file = format!("{}.{ending}", self.name());
        let theirs = match folder {
            Some(folder) => read(&folder.join(&file)).await?,
            None => None,
        };
        let is_theirs = theirs.is_some();
        Ok(Part { file, source: theirs.unwrap_or_else(|| built_in.to_owned()), is_theirs })
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Rendered {
    /// The letter to an address.
    pub fn to(self, to: Address) -> Letter {
        let Self { subject, text, html } = self;
        Letter { to, subject, text, html }
    }
}

/// Checks the templates in a tenant's folder by filling them with examples of all words.
pub async fn check(folder: &Path) -> Vec<TemplateError> {
    let examples = BTreeMap::from(WORDS.map(|word| (word, word)));
    let mut mistakes = Vec::new();
    for template in Template::ALL {
        match template.parts(Some(folder)).await {
            Ok(parts) => {
                mistakes
                    .extend(parts.iter().filter_map(|part| render::fill(&part.file, &part.source, &examples).err()));
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    mistakes
}

async fn read(file: &Path) -> Result<Option<String>, TemplateError> {
    let unreadable = |error| TemplateError::Unreadable(file.to_owned(), error);
    match tokio::fs::metadata(file).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        // Whoever opens a pipe waits for its writer.
        Ok(metadata) if !metadata.is_file() => return Err(unreadable(io::Error::other("not a file"))),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err(TemplateError::TooLarge(file.to_owned())),
        Ok(_) => {}
    }
    let mut text = String::new();
    let opened = File::open(file).await.map_err(unreadable)?;
    opened.take(MOST_BYTES).read_to_string(&mut text).await.map_err(unreadable)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::{Template, TemplateError, check};
    use serde_json::json;
    use std::fs;

    fn words() -> serde_json::Value {
        json!({
            "site": "shop", "domain": "shop.example", "username": "uma", "name": "Uma <b>", "address": "uma@shop.example",
            "token": "t0ken", "link": "https://shop.example/x?token=t0ken&a=b", "expires_in": "1 hour",
            "change": "The second factor was turned off", "when": "2026-03-01 12:00 UTC", "client": "192.0.2.7",
        })
    }

    #[tokio::test]
    async fn every_built_in_letter_can_be_written() {
        for template in Template::ALL {
            let letter = template.render(None, &words()).await.unwrap();
            assert!(
                !letter.subject.contains('\n') && letter.subject.contains("shop"),
                "{template:?}: {}",
                letter.subject
            );
            assert!(letter.text.contains("shop") && !letter.text.contains("{{"), "{}", letter.text);
            let html = letter.html.unwrap();
            assert!(!html.contains("<b>"), "{html}");
            let has_token = letter.text.contains("t0ken");
            let token = ["verify_email", "change_email", "reset_password", "invitation"].contains(&template.name());
            assert_eq!((has_token, html.contains("t0ken")), (token, token), "{template:?}");
        }
        // Where the tenant has no page, the token itself is told.
        let mut words = words();
        words.as_object_mut().unwrap().remove("link");
        assert!(Template::ResetPassword.render(None, &words).await.unwrap().text.contains("t0ken"));
    }

    #[tokio::test]
    async fn a_tenant_has_words_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("reset_password.txt"), "Hej {{ name }}: {{ link }}").unwrap();
        let letter = Template::ResetPassword.render(Some(folder.path()), &words()).await.unwrap();
        assert_eq!(letter.text, "Hej Uma <b>: https://shop.example/x?token=t0ken&a=b");
        assert_eq!(letter.html, None);
        fs::write(folder.path().join("reset_password.html"), "<p>{{ name }}</p>").unwrap();
        fs::write(folder.path().join("reset_password.subject"), "Two\r\nBcc: lines\n").unwrap();
        let letter = Template::ResetPassword.render(Some(folder.path()), &words()).await.unwrap();
        assert_eq!(letter.html.as_deref(), Some("<p>Uma &lt;b&gt;</p>"));
        assert_eq!(letter.subject, "Two Bcc: lines");
        assert!(check(folder.path()).await.is_empty());
    }

    #[tokio::test]
    async fn broken_words_name_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("verify_email.txt");
        let words = words();
        let render = || Template::VerifyEmail.render(Some(folder.path()), &words);
        for (text, line) in [
            ("a\n{{ nam }}", 2),
            ("{% if %}", 1),
            ("\n\n{{ name", 3),
            ("{{ name.x.y }}", 1),
            ("{% for i in range(9999999) %}x{% endfor %}", 1),
        ] {
            fs::write(&file, text).unwrap();
            let mistake = render().await.unwrap_err();
            assert!(
                matches!(&mistake, TemplateError::Broken { file, line: at, .. } if file == "verify_email.txt" && *at == line),
                "{text}: {mistake}"
            );
        }
        for text in ["{% if %}", "{{ nmae }}"] {
            fs::write(&file, text).unwrap();
            let [mistake] = &check(folder.path()).await[..] else { panic!("{text}") };
            assert!(mistake.to_string().starts_with("verify_email.txt, line 1: "), "{mistake}");
        }
        fs::write(&file, vec![b'x'; 65 << 10]).unwrap();
        assert!(matches!(render().await.unwrap_err(), TemplateError::TooLarge(_)));
        fs::write(&file, "{% for i in range(3000) %}{{ 'x' * 1000 }}{% endfor %}").unwrap();
        assert!(matches!(render().await.unwrap_err(), TemplateError::TooLong(file) if file == "verify_email.txt"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(matches!(render().await.unwrap_err(), TemplateError::Unreadable(..)));
    }

    #[tokio::test]
    async fn nothing_shows_a_token_but_the_letter() {
        let letter = Template::ResetPassword.render(None, &words()).await.unwrap();
        assert!(letter.text.contains("t0ken") && !format!("{letter:?}").contains("t0ken"));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("reset_password.txt"), "{{ token }} {{ nmae }}").unwrap();
        let mistake = Template::ResetPassword.render(Some(folder.path()), &words()).await.unwrap_err();
        assert!(!format!("{mistake:?} {mistake}").contains("t0ken"), "{mistake}");
    }
}
