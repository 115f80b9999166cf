//! Settings that a tenant keeps in its database, in the table `_settings`: they say otherwise than the files do.
//!
//! [`Settings`] reads a tenant's table once, when something of it is first needed, and answers the rooms that ask through
//! [`kernel::SettingsTable`]. What is changed over HTTP or on the command line passes it too; what others wrote into the
//! table counts after a reload. Which settings there are, and what each of them says, is in [`kernel::settings`].

mod changing;
mod routes;
mod service;
mod showing;
mod table;

pub use changing::Author;
pub use routes::routes;
pub use service::{Files, Settings};
pub use showing::{Shown, Source};
pub use table::MIGRATIONS;

/// The feature's name, in migrations and in the OpenAPI document.
pub const NAME: &str = "settings";
