//! Other servers, brought in by the ordinary package clients with their versions pinned, and kept for the next time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A server that Insula is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// PocketBase, built from its Go module.
    Pocketbase,
    /// `PostgREST`, from npm.
    Postgrest,
    /// Parse Server, from npm.
    Parse,
    /// No peer at all.
    None,
}

/// Which peers are wanted, and where they are kept.
#[derive(clap::Args)]
pub(crate) struct Peers {
    /// The peers to measure beside Insula; all that the workloads are about when none is named.
    #[arg(long = "peer", value_name = "NAME", value_delimiter = ',')]
    wanted: Vec<Peer>,
    /// Where the peers' programs are kept; below the build's folder when not said.
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
}

impl Peers {
    /// Whether a peer is wanted.
    pub(crate) fn wants(&self, peer: Peer) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&peer)
    }

    /// The folder in which one thing is kept.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let all = match &self.peers {
            Some(folder) => folder.clone(),
            // The program is in `release` or `debug` of the build's folder.
            None => {
                let program = std::env::current_exe()?;
                program.ancestors().nth(2).context("This program is nowhere")?.join("bench-peers")
            }
        };
        let folder = all.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("Cannot make {}", folder.display()))?;
        Ok(folder.canonicalize()?)
    }

    /// What a wanted peer makes of itself; none where it is not wanted, or, with a sentence, where it cannot be had.
    pub(crate) async fn bring<T>(&self, peer: Peer, start: impl Future<Output = Result<T>>) -> Option<T> {
        if !self.wants(peer) {
            return None;
        }
        start.await.inspect_err(|error| eprintln!("{peer:?} is left out: {error:#}")).ok()
    }
}

/// Makes a folder's files as they are wanted and runs a command in it, unless both were done before. `product` is what
/// the command makes.
pub(crate) fn install(
    folder: &Path,
    files: &[(&str, &str)],
    product: &str,
    commands: &mut [Command],
) -> Result<PathBuf> {
    let product = folder.join(product);
    let recipe: String = files.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    let done = folder.join("recipe");
    if product.exists() && fs::read_to_string(&done).is_ok_and(|made| made == recipe) {
        return Ok(product);
    }
    let _ = fs::remove_file(&done);
    for (name, text) in files {
        fs::write(folder.join(name), text)?;
    }
    for command in commands {
        let shown = shown(command);
        eprintln!("{shown} …");
        let output = command.current_dir(folder).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("Cannot run `{shown}`"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
            bail!("`{shown}` failed: {last}");
        }
    }
    if !product.exists() {
        bail!("{} has not been made", product.display());
    }
    fs::write(&done, recipe)?;
    Ok(product)
}

/// npm, which fetches what a `package.json` names and runs nothing of it.
pub(crate) fn npm_install() -> Command {
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
    command
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::install;
    use std::process::Command;

    fn touch() -> [Command; 1] {
        let mut command = Command::new("sh");
        command.args(["-c", "cat source >> product"]);
        [command]
    }

    #[test]
    fn what_is_there_is_made_again_only_for_another_recipe() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let made = |text| {
            let product = install(folder.path(), &[("source", text)], "product", &mut touch())?;
            anyhow::Ok(std::fs::read_to_string(product)?)
        };
        assert_eq!([made("1")?, made("1")?, made("2")?], ["1", "1", "12"]);
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo first >&2; echo no space >&2; exit 1"]);
        let error = install(folder.path(), &[("source", "3")], "product", &mut [failing]).unwrap_err().to_string();
        assert!(error.ends_with("failed: no space"), "{error}");
        Ok(())
    }
}
