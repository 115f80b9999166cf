//! What users do with their own account: profile, password, e-mail address.

mod addresses;
mod me;
mod passwords;
mod profile;
mod proof;
mod register;

pub(crate) use me::{AccountChange, Farewell, OwnAccount};
pub(crate) use profile::{Profile, ProfileChange, Theme};
pub(crate) use register::Registered;
