//! `insula config schema`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    cli::Output,
    config::SchemaOf,
    failure::{Failure, Result, io},
};

#[derive(Args)]
pub(in crate::cli) struct Schema {
    /// The file that the schema is of
    #[arg(default_value = "insula", conflicts_with = "all")]
    of: Which,
    /// Write the schemas of all files into a folder
    #[arg(long, requires = "to")]
    all: bool,
    /// The folder for --all
    #[arg(long, value_name = "DIR", requires = "all")]
    to: Option<PathBuf>,
}

/// A configuration file.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// insula.toml
    Insula,
    /// identity.toml of a tenant
    Identity,
    /// rules.toml of a tenant
    Rules,
    /// columns.toml of a tenant
    Columns,
    /// A toolkit of a tenant
    Toolkit,
}

impl Schema {
    pub(super) fn run(self, output: Output) -> Result<()> {
        let Some(folder) = self.to else {
            let schema = match self.of {
                Which::Insula => SchemaOf::Insula,
                Which::Identity => SchemaOf::Identity,
                Which::Rules => SchemaOf::Rules,
                Which::Columns => SchemaOf::Columns,
                Which::Toolkit => SchemaOf::Toolkit,
            };
            let schema = schema.schema();
            output.print(&schema, || readable(&schema));
            return Ok(());
        };
        std::fs::create_dir_all(&folder).map_err(io(folder.display()))?;
        let mut written = Vec::new();
        for file in SchemaOf::ALL {
            let path = folder.join(file.file().replace(".toml", ".schema.json"));
            std::fs::write(&path, readable(&file.schema()) + "\n").map_err(io(path.display()))?;
            written.push(path.display().to_string());
        }
        output.print(&json!({ "success": true, "written": written }), || format!("Wrote {}.", written.join(", ")));
        Ok(())
    }
}

fn readable(schema: &serde_json::Value) -> String {
    serde_json::to_string_pretty(schema).map_err(|error| Failure::Other(error.to_string())).unwrap_or_default()
}
