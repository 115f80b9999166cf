//! `insula config …`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Output;
use crate::{
    config::{Loaded, Mistakes},
    failure::Result,
};

/// Check and show the configuration.
#[derive(Subcommand)]
pub(super) enum Config {
    /// Tell every mistake with its place and what may be meant
    #[command(after_help = "Example:\n  insula config check --config insula.toml")]
    Check,
    /// Print the settings in force and where those were written that are not defaults; secrets are ***
    #[command(after_help = "Example:\n  INSULA_SERVER__PORT=8080 insula config show")]
    Show,
}

impl Config {
    pub(super) fn run(self, output: Output, loaded: Result<Loaded, Mistakes>) -> Result<()> {
        match self {
            Self::Check => check(output, loaded),
            Self::Show => {
                let loaded = loaded?;
                output.print(&loaded.to_json(), || loaded.to_toml());
                Ok(())
            }
        }
    }
}

fn check(output: Output, loaded: Result<Loaded, Mistakes>) -> Result<()> {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(mistakes) if output.json => {
            output.print(&told(&mistakes), String::new);
            return Err(crate::Failure::Usage("the configuration has mistakes".to_owned()));
        }
        Err(mistakes) => return Err(mistakes.into()),
    };
    output.print(&json!({ "success": true, "file": loaded.file }), || match &loaded.file {
        Some(file) => format!("{} is good.", file.display()),
        None => "There is no insula.toml; the defaults and the environment are good.".to_owned(),
    });
    Ok(())
}

/// Mistakes for programs.
pub(super) fn told(mistakes: &Mistakes) -> Value {
    let mistakes = mistakes.0.iter().map(|mistake| {
        json!({
            "place": mistake.origin.to_string(),
            "key": mistake.key,
            "problem": mistake.problem,
            "suggestion": mistake.suggestion,
        })
    });
    json!({ "success": false, "mistakes": mistakes.collect::<Vec<_>>() })
}
