//! What administrators do with the users and groups of their tenant, and with other tenants.

mod actor;
mod generated;
mod import;
mod tenants;
pub(crate) mod users;

pub(crate) use self::tenants::TenantChange;
pub use self::{
    actor::Actor,
    generated::generated_password,
    import::MovedIn,
    users::{UserChange, UserFilter, UserSort},
};
