//! Tables that are made from the code.

use std::fs;

use kernel::{Reason, ability};

use crate::{
    configuration,
    page::{Page, folder},
};

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";
/// The tables there are, each with the page that has it.
const TABLES: [(&str, &str); 3] =
    [("reasons", "errors.md"), ("abilities", "rules.md"), ("settings", "configuration.md")];

/// Compares the tables of all pages with the code, or writes them where `INSULA_BOOK=write`.
pub(crate) fn check(pages: &[Page]) {
    let write = std::env::var("INSULA_BOOK").is_ok_and(|wish| wish == "write");
    for (name, page) in TABLES {
        let page = pages.iter().find(|other| other.name == page).unwrap_or_else(|| panic!("docs/{page} is missing"));
        let begin = format!("{BEGIN}{name} -->\n");
        let missing = || panic!("docs/{} has no table {name}: {begin}{END}", page.name);
        let (before, rest) = page.text.split_once(&begin).unwrap_or_else(missing);
        let (_, after) = rest.split_once(END).unwrap_or_else(missing);
        let text = format!("{before}{begin}{}{END}{after}", table(name));
        if write {
            fs::write(folder().join(&page.name), text).unwrap();
        } else {
            assert!(
                text == page.text,
                "docs/{} is not what the code says; run: INSULA_BOOK=write cargo test -p insula-tests --test book",
                page.name
            );
        }
    }
}

fn table(name: &str) -> String {
    match name {
        "reasons" => {
            let row =
                |reason: &Reason| format!("| `{}` | {} | {} |\n", reason.word(), reason.status(), reason.meaning());
            joined(Reason::ALL.iter().map(row), "| Reason | Status | Meaning |\n| --- | --- | --- |\n")
        }
        "abilities" => {
            let row = |ability: &ability::Ability| {
                format!("| `{}` | {} | {} |\n", ability.name, ability.from_power, ability.meaning)
            };
            joined(ability::ALL.iter().map(row), "| Ability | From power | Whoever has it |\n| --- | --- | --- |\n")
        }
        _ => configuration::tables(),
    }
}

fn joined(rows: impl Iterator<Item = String>, head: &str) -> String {
    rows.fold(head.to_owned(), |text, row| text + &row)
}
