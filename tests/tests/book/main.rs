//! The book in `docs/` kept true: its examples are run, its tables are compared with the code, its links are followed.
//!
//! Examples are fenced blocks whose info string says what they are:
//!
//! | Info string | What is done |
//! | --- | --- |
//! | `sh run` | Run by `bash -euo pipefail`; all blocks of a session in one shell. |
//! | `sh run background` | Started in the background until the server in it answers. |
//! | `json query uma` | Sent to `POST /query` as the user `uma`. |
//! | `json answer`, `json answer 403` | What the block before it answers, and the status where it is not 200. |
//! | `text answer` | What the block before it prints. |
//!
//! In answers `…` stands for anything: as a value, within a text, as the last of a list, or as the name of a field for
//! all further fields. A session begins with `<!-- run: demo -->`, beside a server of the demonstration, or with
//! `<!-- run: empty -->`, in an empty folder. Tables between `<!-- generated: NAME -->` and `<!-- end -->` are made by
//! `INSULA_BOOK=write cargo test -p insula-tests --test book`.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod compare;
mod configuration;
mod generated;
mod installation;
mod links;
mod page;
mod program;
mod script;
mod session;
mod toolkits;

use installation::Demonstration;
use page::Page;
use session::Session;

/// Pages that are of no use without examples that run.
const WITH_EXAMPLES: [&str; 6] =
    ["quick-start.md", "data-api.md", "rules.md", "identity.md", "tenants.md", "toolkits.md"];

#[test]
fn the_examples_do_what_the_pages_say() {
    let program = program::insula();
    let demonstration = Demonstration::prepare(&program);
    let pages = Page::all();
    for name in WITH_EXAMPLES {
        let page = pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("docs/{name} is missing"));
        assert!(!page.sessions().is_empty(), "docs/{name} has no example that runs");
    }
    let failures: Vec<String> = std::thread::scope(|scope| {
        let sessions = pages.iter().flat_map(Page::sessions);
        let run = |session: Session| session.run(&program, &demonstration);
        let running: Vec<_> = sessions.map(|session| scope.spawn(move || run(session))).collect();
        running.into_iter().flat_map(|session| session.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

#[test]
fn the_toolkits_have_no_mistakes() {
    let mistakes = toolkits::mistakes(&Page::all());
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
}

#[test]
fn the_tables_are_those_of_the_code() {
    generated::check(&Page::all());
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_listed() {
    let problems = links::problems(&Page::all());
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
