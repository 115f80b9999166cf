//! One session of examples: a world, and the blocks that are run in it.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;

use crate::{
    compare,
    installation::{Demonstration, Server, free_port},
    page::Block,
    script,
};

/// Where the examples run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum World {
    /// Beside a server of the demonstration, with its data folder.
    Demo,
    /// In an empty folder.
    Empty,
}

impl World {
    /// The world of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "demo" => Some(Self::Demo),
            "empty" => Some(Self::Empty),
            _ => None,
        }
    }
}

/// Blocks that are run one after the other.
pub(crate) struct Session {
    /// The page they are on.
    pub(crate) page: String,
    /// Where they run.
    pub(crate) world: World,
    /// The blocks, answers among them.
    pub(crate) blocks: Vec<Block>,
}

impl Session {
    /// Runs the blocks and tells what is not as the page says.
    pub(crate) fn run(&self, program: &Path, demonstration: &Demonstration) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let (work, out) = (home.path().join("work"), home.path().join("out"));
        fs::create_dir(&work).unwrap();
        fs::create_dir(&out).unwrap();
        let mut command = Command::new("timeout");
        command.args(["60", "bash", "-euo", "pipefail"]).arg(out.join("script")).current_dir(&work).env_clear();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
        command.env("HOME", &work).env("OUT", &out).env("INSULA_SERVER__RATE_LIMIT__ENABLED", "false");
        let server = match self.world {
            World::Demo => {
                let data = home.path().join("data");
                demonstration.copy_to(&data);
                let server = Server::start(program, &data);
                command.env("INSULA_DATA", &data).env("INSULA_URL", server.url());
                for account in server.ready["accounts"].as_array().unwrap() {
                    let word = |name: &str| account[name].as_str().unwrap();
                    command.env(format!("{}_PASSWORD", word("username").to_uppercase()), word("password"));
                }
                Some(server)
            }
            World::Empty => {
                let port = free_port();
                command.env("INSULA_SERVER__PORT", port.to_string());
                command.env("INSULA_URL", format!("http://127.0.0.1:{port}"));
                None
            }
        };
        let text = script::of(&self.blocks, &out).unwrap_or_else(|error| panic!("docs/{}:{error}", self.page));
        fs::write(out.join("script"), text).unwrap();
        let ended = command.stdin(Stdio::null()).output().unwrap();
        drop(server);
        self.compare(&ended, &out)
    }

    fn compare(&self, ended: &Output, out: &Path) -> Vec<String> {
        let file = |name: String| fs::read_to_string(out.join(name)).unwrap_or_default();
        if !ended.status.success() {
            let at: usize = file("at".into()).trim().parse().unwrap_or(0);
            let block = &self.blocks[at];
            let told = String::from_utf8_lossy(&ended.stderr);
            let printed = file(format!("{at}.out"));
            let place = format!("docs/{}:{}", self.page, block.line);
            return vec![format!("{place}: failed ({})\n{}{printed}{told}", ended.status, block.text)];
        }
        let mut failures = Vec::new();
        let mut answered = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            if script::is_answer(block) {
                let came = file(format!("{answered}.out"));
                let status = file(format!("{answered}.status"));
                if !is_as_shown(block, &came, &status) {
                    let place = format!("docs/{}:{}", self.page, block.line);
                    failures.push(format!("{place}: shown\n{}came {status}\n{}", block.text, readable(&came)));
                }
            } else {
                answered = index;
            }
        }
        failures
    }
}

fn is_as_shown(block: &Block, came: &str, status: &str) -> bool {
    let expected = block.info.get(2).map_or("200", String::as_str);
    if !(status.is_empty() || status == expected) {
        return false;
    }
    if block.info[0] == "text" {
        return compare::text(&block.text, came);
    }
    let shown: Result<Json, _> = serde_json::from_str(&block.text);
    let came: Result<Json, _> = serde_json::from_str(came);
    matches!((shown, came), (Ok(shown), Ok(came)) if compare::json(&shown, &came))
}

fn readable(text: &str) -> String {
    let json: Result<Json, _> = serde_json::from_str(text);
    json.ok().and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| text.to_owned())
}
