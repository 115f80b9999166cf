//! Calls out of the house: HTTP services and programs that answer for an endpoint, within limits.
//!
//! What goes wrong outside stays there: every call is bounded in time, size and number, and its failure is an error of
//! that one call.

mod heavy;
mod http;
pub mod launcher;
mod levels;
mod program;

pub use self::{
    http::{BodyStream, Call, Clients, Header, HeaderFile, HttpConfig, HttpUpstream},
    program::{ProgramConfig, ProgramUpstream},
};
