//! `insula config import` and `insula config export`: SeckelAPI's files.

use std::{
    fmt::Write as _,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use seckelapi::{Exported, File, Imported, Outcome, Report};
use serde_json::json;

use crate::{
    cli::{Output, output::aligned},
    config::{Loaded, Mistakes, check_text},
    failure::{Failure, Result, io},
    private_file,
};

const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 1 << 20;
const MOST_DEPTH: usize = 8;

/// A server whose configuration can be converted.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Server {
    /// SeckelAPI
    Seckelapi,
}

#[derive(Args)]
pub(in crate::cli) struct Import {
    /// Whose files they are
    #[arg(long, value_name = "SERVER")]
    from: Server,
    /// The folder with its files; those in a folder `toolkits` are toolkits
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A folder, or the insula.toml to write [default: insula.toml in the data folder]
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    /// The tenant that gets the toolkits [default: none; they are written beside insula.toml]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Write nothing where something would not be in force any more
    #[arg(long)]
    strict: bool,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Export {
    /// Whose files to make
    #[arg(long, value_name = "SERVER")]
    to: Server,
    /// The folder for them
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The tenant whose toolkits to take [default: those beside insula.toml]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Write nothing where something would not be in force any more
    #[arg(long)]
    strict: bool,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

impl Import {
    pub(super) fn run(
        self,
        output: Output,
        loaded: std::result::Result<Loaded, Mistakes>,
        asked: Option<PathBuf>,
    ) -> Result<()> {
        let Server::Seckelapi = self.from;
        let insula = self.target(loaded, asked)?;
        let base = parent(&insula);
        let toolkits = match &self.tenant {
            None => base.join("toolkits"),
            Some(name) => tenant_folder(base, name, self.to.is_none())?.join("toolkits"),
        };
        let files = read(&self.folder)?;
        let imported = seckelapi::import(&files).map_err(unreadable)?;
        check_text(&insula, &imported.insula)?;
        let Imported { insula: text, toolkits: made, groups, report } = imported;
        let mut written = vec![(insula, text)];
        written.extend(made.into_iter().map(|File { path, text }| (toolkits.join(path), text)));
        let commands: Vec<String> = groups.iter().map(|group| group.command(self.tenant.as_deref())).collect();
        finish(output, self.strict, self.force, &written, &report, &commands)
    }

    /// The `insula.toml` to write.
    fn target(&self, loaded: std::result::Result<Loaded, Mistakes>, asked: Option<PathBuf>) -> Result<PathBuf> {
        match (&self.to, asked) {
            (Some(file), _) if file.extension().is_some_and(|ending| ending == "toml") => Ok(file.clone()),
            (Some(folder), _) => Ok(folder.join("insula.toml")),
            (None, Some(asked)) => Ok(asked),
            (None, None) => {
                let loaded = loaded?;
                Ok(loaded.file.unwrap_or_else(|| loaded.config.data.join("insula.toml")))
            }
        }
    }
}

impl Export {
    pub(super) fn run(self, output: Output, loaded: &Loaded) -> Result<()> {
        let Server::Seckelapi = self.to;
        let missing = || Failure::Missing("there is no insula.toml; name one: --config FILE".to_owned());
        let file = loaded.file.as_ref().ok_or_else(missing)?;
        let text = read_file(file)?;
        let toolkits = match &self.tenant {
            None => parent(file).join("toolkits"),
            Some(name) => tenant_folder(&loaded.config.data, name, true)?.join("toolkits"),
        };
        let mut files = Vec::new();
        if toolkits.is_dir() {
            collect(&toolkits, "", 1, &mut files)?;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let Exported { files, report } = seckelapi::export(&name, &text, &files).map_err(unreadable)?;
        let written: Vec<_> = files.into_iter().map(|File { path, text }| (self.folder.join(path), text)).collect();
        finish(output, self.strict, self.force, &written, &report, &[])
    }
}

fn parent(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

fn unreadable(error: seckelapi::Unreadable) -> Failure {
    Failure::Usage(error.to_string())
}

fn tenant_folder(data: &Path, name: &str, must_be: bool) -> Result<PathBuf> {
    let folder = data.join("tenants").join(name);
    if name.is_empty() || name.contains(['/', '.']) || (must_be && !folder.is_dir()) {
        return Err(Failure::Missing(format!("there is no tenant {name:?}: {} is no folder", folder.display())));
    }
    Ok(folder)
}

/// All TOML files below a folder.
fn read(folder: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    collect(folder, "", MOST_DEPTH, &mut files)?;
    if files.is_empty() {
        return Err(Failure::Missing(format!("there are no *.toml files in {}", folder.display())));
    }
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(io(folder.display()))? {
        let entry = entry.map_err(io(folder.display()))?;
        let (path, Ok(name)) = (entry.path(), entry.file_name().into_string()) else { continue };
        let kind = entry.file_type().map_err(io(path.display()))?;
        if name.starts_with('.') {
            continue;
        }
        // Links to folders are not followed: they may lead in a circle.
        if kind.is_dir() && depth > 1 {
            collect(&path, &format!("{prefix}{name}/"), depth - 1, files)?;
        } else if name.ends_with(".toml") && path.is_file() {
            if files.len() == MOST_FILES {
                return Err(Failure::Usage(format!("{} has more than {MOST_FILES} files", folder.display())));
            }
            files.push(File { path: format!("{prefix}{name}"), text: read_file(&path)? });
        }
    }
    Ok(())
}

fn read_file(file: &Path) -> Result<String> {
    let opened = fs::File::open(file).map_err(io(file.display()))?;
    let mut text = String::new();
    opened.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(io(file.display()))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::Usage(format!("{} is larger than 1MB", file.display())));
    }
    Ok(text)
}

/// Writes the files, for their owner alone since there may be secrets in them, and tells what became of each key.
fn finish(
    output: Output,
    strict: bool,
    force: bool,
    files: &[(PathBuf, String)],
    report: &Report,
    commands: &[String],
) -> Result<()> {
    let refuses = strict && report.is_lossy();
    if !refuses {
        if let Some((path, _)) = files.iter().find(|(path, _)| !force && path.exists()) {
            let advice = "replace it with --force, or choose another place";
            return Err(Failure::Usage(format!("{} is there already; {advice}", path.display())));
        }
        for (path, text) in files {
            private_file::folder(parent(path))?;
            private_file::write(path, text)?;
        }
    }
    let written: Vec<String> = files.iter().filter(|_| !refuses).map(|(path, _)| path.display().to_string()).collect();
    let told = json!({ "success": !refuses, "written": written, "keys": report.entries, "commands": commands });
    output.print(&told, || readable(report, &written, commands));
    if refuses {
        let lossy = report.of(Outcome::Lossy).count();
        return Err(Failure::Usage(format!("{lossy} keys would not be in force any more; nothing was written")));
    }
    Ok(())
}

fn readable(report: &Report, written: &[String], commands: &[String]) -> String {
    let rows: Vec<Vec<String>> = report
        .entries
        .iter()
        .map(|entry| {
            let outcome = match entry.outcome {
                Outcome::Mapped => "mapped",
                Outcome::Unknown => "unknown",
                Outcome::Group => "group",
                Outcome::Lossy => "LOSSY",
            };
            let remark = match (&entry.now, &entry.note, entry.outcome) {
                (Some(now), ..) => now.clone(),
                (None, Some(note), _) => note.clone(),
                (None, None, Outcome::Unknown) => "kept, without effect".to_owned(),
                (None, None, _) => String::new(),
            };
            vec![outcome.to_owned(), entry.file.clone(), entry.key.clone(), remark]
        })
        .collect();
    let mut text = String::new();
    if !rows.is_empty() {
        let _ = writeln!(text, "{}", aligned(&["KEY IS", "FILE", "KEY", "NOW"], &rows, false));
    }
    for path in written {
        let _ = writeln!(text, "Wrote {path}.");
    }
    if !commands.is_empty() {
        let _ = writeln!(text, "\nGroups are in the database of a tenant. These commands make them:\n");
        for command in commands {
            let _ = writeln!(text, "{command}");
        }
    }
    text
}
