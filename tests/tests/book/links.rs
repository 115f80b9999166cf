//! Links between pages.

use std::collections::HashSet;

use crate::page::{Page, Part, folder};

/// Every link that leads nowhere and every page that the contents do not list.
pub(crate) fn problems(pages: &[Page]) -> Vec<String> {
    let mut problems = Vec::new();
    for page in pages {
        for target in targets(page) {
            if !exists(pages, page, &target) {
                problems.push(format!("docs/{}: {target} leads nowhere", page.name));
            }
        }
    }
    let contents = pages.iter().find(|page| page.name == "README.md").expect("docs/README.md is missing");
    let listed: HashSet<String> = targets(contents).into_iter().collect();
    let missing = pages.iter().filter(|page| page.name != contents.name && !listed.contains(&page.name));
    problems.extend(missing.map(|page| format!("docs/README.md does not list {}", page.name)));
    problems
}

/// The targets of relative links, and the pages that are named.
fn targets(page: &Page) -> Vec<String> {
    let mut targets = Vec::new();
    for part in page.parts() {
        let Part::Line(line) = part else { continue };
        let linked = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let named = line.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("docs/"));
        targets.extend(linked.chain(named).filter(|target| !target.contains("://")).map(str::to_owned));
    }
    targets
}

fn exists(pages: &[Page], from: &Page, target: &str) -> bool {
    let (name, anchor) = target.split_once('#').map_or((target, None), |(name, anchor)| (name, Some(anchor)));
    let name = if name.is_empty() { &from.name } else { name };
    match (pages.iter().find(|page| page.name == name), anchor) {
        (Some(page), Some(anchor)) => headings(page).contains(anchor),
        (Some(_), None) => true,
        (None, _) => folder().join(name).exists(),
    }
}

/// The anchors of a page's headings, as GitHub spells them.
fn headings(page: &Page) -> HashSet<String> {
    let heading = |part: Part<'_>| match part {
        Part::Line(line) => {
            let text = line.trim_start_matches('#');
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let anchor: String = text.trim().to_lowercase().chars().filter(kept).collect();
            (text.len() < line.len()).then(|| anchor.replace(' ', "-"))
        }
        Part::Block(_) => None,
    };
    page.parts().into_iter().filter_map(heading).collect()
}
