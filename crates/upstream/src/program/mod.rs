//! Runs of programs.

mod config;

pub use config::ProgramConfig;
