//! The agreement with every caller: what is answered, in which form, to whom.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod addresses;
mod bodies;
mod document;
mod endpoints;
mod forgeries;
mod limits;
mod logging_in;
mod media_type;
mod nodes;
mod registering;
mod request_ids;
mod restarting;
mod secrets;
mod sessions;
mod wrong_types;
