//! Pages and the fenced blocks in them.

use std::{fs, path::PathBuf};

use crate::session::{Session, World};

/// A page of the book.
pub(crate) struct Page {
    /// The name of the file below `docs/`.
    pub(crate) name: String,
    /// The Markdown.
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The line of its fence, from 1.
    pub(crate) line: usize,
    /// The words of the info string.
    pub(crate) info: Vec<String>,
    /// What is in it, with a line break at the end.
    pub(crate) text: String,
}

/// A line of a page outside of blocks, or a block.
pub(crate) enum Part<'a> {
    Line(&'a str),
    Block(Block),
}

/// The folder of the book.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

impl Page {
    /// All pages by name.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut pages: Vec<Self> = entries
            .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
            .map(|path| Self {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                text: fs::read_to_string(&path).unwrap(),
            })
            .collect();
        pages.sort_by(|a, b| a.name.cmp(&b.name));
        pages
    }

    /// The lines and blocks in their order.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let Some(info) = line.strip_prefix("```") else {
                parts.push(Part::Line(line));
                continue;
            };
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text = inside.fold(String::new(), |text, line| text + line + "\n");
            let info = info.split_whitespace().map(str::to_owned).collect();
            parts.push(Part::Block(Block { line: index + 1, info, text }));
        }
        parts
    }

    /// The sessions of its examples.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> = Vec::new();
        for part in self.parts() {
            match part {
                Part::Line(line) => {
                    if let Some(world) = line.strip_prefix("<!-- run: ").and_then(|rest| rest.strip_suffix(" -->")) {
                        let world = World::of(world).unwrap_or_else(|| panic!("docs/{}: {line}", self.name));
                        sessions.push(Session { page: self.name.clone(), world, blocks: Vec::new() });
                    }
                }
                Part::Block(block) if block.info.len() > 1 => {
                    let session = sessions.last_mut();
                    let session = session.unwrap_or_else(|| panic!("docs/{}:{}: in no session", self.name, block.line));
                    session.blocks.push(block);
                }
                Part::Block(_) => {}
            }
        }
        sessions
    }
}
