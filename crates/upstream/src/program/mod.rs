//! Runs of programs.

mod config;
mod outcome;
mod run;
mod service;

pub use config::ProgramConfig;
pub use service::ProgramUpstream;
