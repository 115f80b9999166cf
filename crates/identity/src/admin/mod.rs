//! What administrators do with the users and groups of their tenant.

mod actor;
mod generated;
pub(crate) mod page;
pub(crate) mod users;

pub use self::{actor::Actor, generated::generated_password, users::UserChange};
