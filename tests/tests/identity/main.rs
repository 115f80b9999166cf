//! Who is asking, told on SQLite, PostgreSQL and MariaDB.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod accounts;
mod captcha;
mod letters;
mod passwords;
mod post;
