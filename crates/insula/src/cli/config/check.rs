//! `insula config check`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::Output,
    config::{Loaded, Mistake, Mistakes, Origin, check_tenant},
    failure::{Failure, Result, io},
    transfer::Progress,
};

/// Mistakes that are told; of more there is the number alone.
const TOLD: usize = 200;

#[derive(Args)]
pub(in crate::cli) struct Check {
    /// Check a tenant's files, too: identity.toml, rules.toml, toolkits and the letters in mail
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Check the files of all tenants
    #[arg(long, conflicts_with = "tenant")]
    all_tenants: bool,
}

impl Check {
    pub(super) async fn run(self, output: Output, loaded: Result<Loaded, Mistakes>) -> Result<()> {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(mistakes) => return refused(output, mistakes),
        };
        let mut found = Found::default();
        found.add(missing_files(&loaded));
        let mut tenants = 0;
        for folder in self.folders(&loaded)? {
            found.add(check_tenant(&loaded.config, &folder).await);
            tenants += 1;
            found.progress.at(tenants, tenants);
        }
        let Found { mistakes, more, progress } = found;
        drop(progress);
        if !mistakes.is_empty() {
            if more > 0 {
                eprintln!("There are {more} more mistakes.");
            }
            return refused(output, Mistakes(mistakes));
        }
        output.print(&json!({ "success": true, "file": loaded.file, "tenants": tenants }), || {
            let file = match &loaded.file {
                Some(file) => format!("{} is good.", file.display()),
                None => "There is no insula.toml; the defaults and the environment are good.".to_owned(),
            };
            match tenants {
                0 => file,
                1 => format!("{file} So are the files of the tenant."),
                tenants => format!("{file} So are the files of {tenants} tenants."),
            }
        });
        Ok(())
    }

    /// The folders of the tenants to check, without asking a database.
    fn folders(&self, loaded: &Loaded) -> Result<Vec<PathBuf>> {
        let all = loaded.config.data.join("tenants");
        if let Some(name) = &self.tenant {
            let folder = all.join(name);
            let is_name = !name.is_empty() && !name.contains(['/', '.']);
            return if is_name && folder.is_dir() {
                Ok(vec![folder])
            } else {
                Err(Failure::Missing(format!("there is no tenant {name:?}: {} has no such folder", all.display())))
            };
        }
        if !self.all_tenants || !all.is_dir() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&all).map_err(io(all.display()))?.filter_map(std::result::Result::ok);
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        Ok(folders)
    }
}

/// The mistakes so far.
struct Found {
    mistakes: Vec<Mistake>,
    more: usize,
    progress: Progress,
}

impl Default for Found {
    fn default() -> Self {
        let progress = Progress::new("checking", None).counting("tenants");
        Self { mistakes: Vec::new(), more: 0, progress }
    }
}

impl Found {
    fn add(&mut self, found: Vec<Mistake>) {
        for mistake in found {
            if self.mistakes.len() < TOLD { self.mistakes.push(mistake) } else { self.more += 1 }
        }
    }
}

/// Files that the configuration names and that are not there.
fn missing_files(loaded: &Loaded) -> Vec<Mistake> {
    let config = &loaded.config;
    let program = config.master_key_command.iter().flatten().next().map(PathBuf::from);
    let program = program.filter(|program| !is_program(program));
    let authorities = config.identity.mail.ca_file.clone().filter(|file| !file.is_file());
    let named = [("master_key_command", program), ("identity.mail.ca_file", authorities)];
    let missing = named.into_iter().filter_map(|(key, path)| Some((key, path?)));
    missing
        .map(|(key, path)| Mistake {
            origin: loaded.origins.get(key).cloned().unwrap_or_else(|| Origin::Flag(key.to_owned())),
            key: key.to_owned(),
            problem: format!("there is no file {}", path.display()),
            suggestion: path.is_relative().then(|| "write its whole path, beginning with /".to_owned()),
        })
        .collect()
}

/// Whether a program is there, in one of the usual folders where it has no path.
fn is_program(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.is_file();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn refused(output: Output, mistakes: Mistakes) -> Result<()> {
    if !output.json {
        return Err(mistakes.into());
    }
    output.print(&told(&mistakes), String::new);
    Err(Failure::Usage("the configuration has mistakes".to_owned()))
}

/// Mistakes for programs.
pub(in crate::cli) fn told(mistakes: &Mistakes) -> Value {
    let told: Vec<_> = mistakes.0.iter().map(Mistake::to_json).collect();
    json!({ "success": false, "mistakes": told })
}
