//! `cargo xtask bench`: the measurements, on optimised programs.

use std::process::Command;

use anyhow::Result;

use crate::{command, databases::Databases, progress, workspace};

/// The comparisons beside the one of a chat's workloads.
const COMPARISONS: [&str; 9] =
    ["identity", "instructions", "logins", "passthrough", "postgres", "reload", "sessions", "start", "tenants"];
/// Those that Insula is judged by, when nothing is named.
const ALL: [&str; 5] = ["run", "sessions", "tenants", "postgres", "start"];
/// Those in which other servers take part.
const WITH_PEERS: [&str; 4] = ["run", "sessions", "postgres", "start"];
/// Those for which a PostgreSQL server is brought up.
const ON_POSTGRES: [&str; 2] = ["postgres", "start"];
/// How the driver is told where a PostgreSQL server is; whoever sets it has one of his own.
const POSTGRES_URL: &str = "INSULA_BENCH_POSTGRES_URL";

/// What `cargo xtask bench` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads of a chat to run (insert, read, list and its kin), and other comparisons: identity, instructions,
    /// logins, passthrough, postgres, reload, sessions, start, tenants. When none is named: all workloads of a chat,
    /// sessions, tenants, postgres and start. What follows `--` goes to each.
    #[arg(value_name = "WORKLOAD")]
    words: Vec<String>,
    /// The servers beside which Insula is measured: pocketbase, postgrest, parse or none; all when none is named.
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// Short rounds, to see that everything runs; the numbers mean little.
    #[arg(long)]
    quick: bool,
}

/// Builds the server and the load driver, and lets the driver measure.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (driver, server) = progress::step("Building the release programs", || {
        let server = workspace::build(&["insula"], &["--release"])?;
        Ok((workspace::build(&["insula-bench"], &["--release"])?, server))
    })?;
    let (comparisons, common) = comparisons(&options.words);
    let needs_postgres = comparisons.iter().any(|(name, _)| ON_POSTGRES.contains(name));
    let databases = match std::env::var_os(POSTGRES_URL) {
        None if needs_postgres => Some(Databases::start()?),
        _ => None,
    };
    for (name, words) in comparisons {
        let mut bench = Command::new(&driver);
        bench.arg(name).args(words).args(common).args(options.quick.then_some("--quick"));
        if WITH_PEERS.contains(&name) {
            bench.args(options.peers.iter().flat_map(|peer| ["--peer", peer]));
        }
        if let Some(databases) = &databases {
            let [(_, url), _] = databases.environment();
            bench.env(POSTGRES_URL, url);
        }
        command::run(bench.env("INSULA_BIN", &server).current_dir(workspace::root()))?;
    }
    Ok(())
}

/// The driver's commands, each with the words that follow it, and the options that all of them get.
fn comparisons(words: &[String]) -> (Vec<(&str, Vec<&str>)>, &[String]) {
    let options = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
    let (words, options) = words.split_at(options);
    let mut comparisons: Vec<(&str, Vec<&str>)> = Vec::new();
    for word in words {
        match comparisons.last_mut() {
            _ if COMPARISONS.contains(&word.as_str()) => comparisons.push((word, Vec::new())),
            Some((_, words)) => words.push(word),
            None => comparisons.push(("run", vec![word])),
        }
    }
    if comparisons.is_empty() {
        comparisons = ALL.map(|name| (name, Vec::new())).into();
    }
    (comparisons, options)
}

#[cfg(test)]
mod tests {
    use super::{ALL, comparisons};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_belong_to_the_comparison_before_them_and_options_to_all() {
        let said = words("read insert postgres join sessions --rounds 5");
        let (found, options) = comparisons(&said);
        assert_eq!(found, [("run", vec!["read", "insert"]), ("postgres", vec!["join"]), ("sessions", vec![])]);
        assert_eq!(options, words("--rounds 5"));
    }

    #[test]
    fn everything_is_measured_when_nothing_is_named() {
        let said = words("--rounds 5");
        assert_eq!(comparisons(&said).0.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ALL);
    }
}
