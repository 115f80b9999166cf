//! Providers that the tests play themselves: with documented answers, and with all that a provider can do wrong.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod hostile;
mod presets;
mod stage;
