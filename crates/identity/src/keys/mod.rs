//! API keys: passwords for software.
//!
//! `format` is a key's text, `bounds` what a key may be given, `service` what can be done with keys and `making`, `changing`
//! and `rotating` how, `enter` what a request with a key goes through, `import` how keys of other back ends come in.

mod bounds;
mod changing;
mod enter;
pub(crate) mod format;
mod import;
mod key;
mod known;
mod making;
mod rates;
mod rotating;
mod service;
mod uses;

pub use self::{
    import::{Draft, ForeignKey, Import, ImportAs, Imported, ImportedSecret},
    key::{Key, KeyChange, KeyState, Lifetime, MadeKey, NewKey},
    rates::RateClass,
};
pub(crate) use self::{known::Keys, service::Maker};
