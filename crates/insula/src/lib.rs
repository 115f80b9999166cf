//! Insula: many isolated back ends in one program.
//!
//! This crate puts the parts together: configuration, command line, the list of features, the running server, the
//! demonstration, import and export.

pub mod cli;
pub mod config;
mod demo;
mod export_tenant;
mod failure;
mod features;
mod installation;
mod key_import;
mod log;
mod master_key;
mod open_files;
mod password;
mod private_file;
mod ready;
mod restart;
mod server;
mod setup_token;
mod sockets;
mod transfer;
mod user_rows;

pub use config::Config;
pub use failure::{Failure, Result};
pub use features::Features;
pub use installation::Installation;
pub use ready::{Account, Ready};
pub use restart::Process;
pub use server::{Options, Server};
