//! Passwords on their way in: from a file, from standard input, or made here.

use std::{io::Read, path::PathBuf};

use clap::Args;
use kernel::Secret;

use crate::failure::{Failure, Result, io};

/// More than any password may have, so that a wrong file is noticed and not read whole.
const LIMIT: u64 = 4_096;

/// Where a password comes from. Without either, one is made and printed once.
#[derive(Args)]
pub(crate) struct PasswordSource {
    /// Read the password from a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// A password, and whether it was made here and so must be shown.
pub(crate) struct Password {
    pub(crate) secret: Secret,
    made: bool,
}

impl Password {
    /// The password where nobody but this program knows it.
    pub(crate) fn to_show(&self) -> Option<&str> {
        self.made.then(|| self.secret.expose())
    }
}

impl PasswordSource {
    pub(crate) fn get(&self) -> Result<Password> {
        let mut text = String::new();
        if let Some(file) = &self.password_file {
            let open = std::fs::File::open(file).map_err(io(file.display()))?;
            open.take(LIMIT).read_to_string(&mut text).map_err(io(file.display()))?;
        } else if self.password_stdin {
            std::io::stdin().take(LIMIT).read_to_string(&mut text).map_err(io("standard input"))?;
        } else {
            return Ok(Password { secret: identity::generated_password(), made: true });
        }
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Failure::Usage("the password is empty".to_owned()));
        }
        Ok(Password { secret: Secret::new(text), made: false })
    }
}
