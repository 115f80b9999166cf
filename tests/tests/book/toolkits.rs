//! The toolkits that the book shows are whole files without mistakes.

use std::path::Path;

use crate::page::{Page, Part};

/// The page whose TOML is toolkits.
const PAGE: &str = "toolkits.md";

/// The mistakes in its examples, each with the line of its block.
pub(crate) fn mistakes(pages: &[Page]) -> Vec<String> {
    let page = pages.iter().find(|page| page.name == PAGE).unwrap_or_else(|| panic!("docs/{PAGE} is missing"));
    let blocks = page.parts().into_iter().filter_map(|part| match part {
        Part::Block(block) if block.info == ["toml"] => Some(block),
        _ => None,
    });
    let (mut mistakes, mut seen) = (Vec::new(), 0);
    for block in blocks {
        seen += 1;
        let name = block.text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let name = name.unwrap_or_else(|| panic!("docs/{PAGE}:{}: a toolkit has a name", block.line));
        let found = ::toolkits::check(&query::rules::Grammar, name, &block.text, Path::new("/nowhere"));
        mistakes.extend(found.iter().map(|mistake| format!("docs/{PAGE}:{}: {mistake}", block.line)));
    }
    assert!(seen > 0, "docs/{PAGE} shows no toolkit");
    mistakes
}
