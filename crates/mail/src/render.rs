//! Fills templates, with an end to the work and the size that one may make.

use std::io::{self, Write};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, value::Serde};
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
    environment.set_auto_escape_callback(
        |name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        },
    );
    environment
}

/// Whether a template follows the language.
pub(crate) fn check(file: &str, source: &str) -> Result<(), TemplateError> {
    environment().template_from_named_str(file, source).map(drop).map_err(|error| broken(file, &error))
}

/// A template with its words filled in.
pub(crate) fn fill(file: &str, source: &str, words: &impl Serialize) -> Result<String, TemplateError> {
    let environment = environment();
    let template = environment.template_from_named_str(file, source).map_err(|error| broken(file, &error))?;
    let mut bounded = Bounded(Vec::new());
    template.render_captured_to(Serde(words), &mut bounded).map_err(|error| broken(file, &error))?;
    Ok(String::from_utf8_lossy(&bounded.0).into_owned())
}

fn broken(file: &str, error: &minijinja::Error) -> TemplateError {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    TemplateError::Broken { file: file.to_owned(), line: error.line().unwrap_or(1), what }
}

/// Takes no more than a letter may have.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_BYTES {
            return Err(io::Error::other("the letter is larger than 256KB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
