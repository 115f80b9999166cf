//! Where a PIN or the text of a card comes from: never from the command line, which others can see.

use std::{io::Read, path::PathBuf};

use clap::Args;
use kernel::Secret;

use crate::failure::{Failure, Result, io};

/// More than any of them may have.
const LIMIT: u64 = 4_096;

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct SecretSource {
    /// Read it from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read it from standard input
    #[arg(long)]
    stdin: bool,
    /// Take it away
    #[arg(long)]
    none: bool,
}

impl SecretSource {
    /// The secret; none where it is to be taken away.
    pub(super) fn get(&self) -> Result<Option<Secret>> {
        if self.none {
            return Ok(None);
        }
        let mut text = String::new();
        if let Some(file) = &self.file {
            let open = std::fs::File::open(file).map_err(io(file.display()))?;
            open.take(LIMIT).read_to_string(&mut text).map_err(io(file.display()))?;
        } else {
            std::io::stdin().take(LIMIT).read_to_string(&mut text).map_err(io("standard input"))?;
        }
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(Failure::Usage("there is nothing to read".to_owned())),
            text => Ok(Some(Secret::new(text))),
        }
    }
}
