//! The agreement with every caller: what is answered, in which form, to whom.

mod addresses;
mod bodies;
mod document;
mod endpoints;
mod forgeries;
mod limits;
mod media_type;
mod nodes;
mod request_ids;
mod restarting;
mod secrets;
mod sessions;
