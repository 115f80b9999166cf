//! Fills templates, with an end to the work and the size that one may make.

use std::io::{self, Write};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, value::Serde};
use serde::Serialize;

use crate::TemplateError;

/// Instructions that one part may take.
const FUEL: u64 = 50_000;
/// Bytes of the largest part.
const MOST_BYTES: usize = 256 << 10;

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(16);
    // Otherwise errors carry the words, and so tokens.
    environment.set_debug(false);
    environment
}

/// A template with its words filled in. Where the file's name ends in `.html`, they are escaped.
pub(crate) fn fill(file: &str, source: &str, words: &impl Serialize) -> Result<String, TemplateError> {
    let environment = environment();
    let template = environment.template_from_named_str(file, source).map_err(|error| broken(file, &error))?;
    let mut bounded = Bounded(Vec::new());
    template.render_captured_to(Serde(words), &mut bounded).map_err(|error| broken(file, &error))?;
    Ok(String::from_utf8_lossy(&bounded.0).into_owned())
}

fn broken(file: &str, error: &minijinja::Error) -> TemplateError {
    if error.kind() == ErrorKind::WriteFailure {
        return TemplateError::TooLong(file.to_owned());
    }
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    TemplateError::Broken { file: file.to_owned(), line: error.line().unwrap_or(1), what }
}

/// Takes no more than a letter may have.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
