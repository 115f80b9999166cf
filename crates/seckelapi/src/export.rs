//! Insula's files into SeckelAPI's.

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::{
    File, KEPT, Outcome, Report, Unreadable,
    import::{put, take_comment},
    parsed,
    settings::Target,
    toolkit,
};

/// What Insula's files are in SeckelAPI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The files below SeckelAPI's folder.
    pub files: Vec<File>,
    /// What became of each key.
    pub report: Report,
}

/// Turns `insula.toml` and toolkits. `insula` is what the report calls the first.
pub fn export(insula: &str, text: &str, toolkits: &[File]) -> Result<Exported, Unreadable> {
    let mut document = parsed(insula, text)?;
    let kept = document.remove(KEPT);
    let mut work = Export { insula, ours: settings_of(&document), files: Vec::new(), report: Report::default() };
    if let Some(kept) = kept {
        let refuse = |problem: &str| Unreadable { path: insula.to_owned(), line: 1, problem: problem.to_owned() };
        let kept = kept.into_table().map_err(|_| refuse("x_seckelapi is not a table"))?;
        work.copies(kept, document.trailing().as_str().unwrap_or_default()).map_err(|problem| refuse(&problem))?;
    }
    work.further();
    work.unsaid(&document);
    let mut files: Vec<File> =
        work.files.into_iter().map(|(path, document)| File { path, text: document.to_string() }).collect();
    for File { path, text } in toolkits {
        let text = toolkit::export(path, text, &mut work.report)?;
        files.push(File { path: format!("{}/{path}", toolkit::FOLDER), text });
    }
    Ok(Exported { files, report: work.report })
}

/// A setting in `insula.toml`, with its comments.
struct Ours {
    target: Target,
    path: Vec<String>,
    /// SeckelAPI's value.
    value: Result<Value, String>,
    before: Option<toml_edit::RawString>,
    after: Option<toml_edit::RawString>,
}

struct Export<'a> {
    insula: &'a str,
    ours: Vec<Ours>,
    files: Vec<(String, DocumentMut)>,
    report: Report,
}

/// All settings that SeckelAPI knows, under either name.
fn settings_of(document: &DocumentMut) -> Vec<Ours> {
    let mut found = Vec::new();
    leaves(document.as_table(), &mut Vec::new(), &mut |path, table, key| {
        let (Some((target, is_own)), Some(value)) = (Target::of_ours(path), table.get(key).and_then(Item::as_value))
        else {
            return;
        };
        let before = table.key(key).and_then(|key| take_comment(key.leaf_decor().prefix().cloned()));
        let after = take_comment(value.decor().suffix().cloned());
        let mut theirs = if is_own { target.to_theirs(value) } else { Ok(value.clone()) };
        if let Ok(theirs) = &mut theirs {
            theirs.decor_mut().clear();
        }
        found.push(Ours { target, path: path.to_vec(), value: theirs, before, after });
    });
    found
}

/// Calls for every value that is not a table.
fn leaves(table: &dyn TableLike, path: &mut Vec<String>, found: &mut dyn FnMut(&[String], &dyn TableLike, &str)) {
    for (key, item) in table.iter() {
        path.push(key.to_owned());
        match item.as_table_like() {
            Some(inner) => leaves(inner, path, found),
            None => found(path, table, key),
        }
        path.pop();
    }
}

impl Export<'_> {
    /// Takes the copies apart and fills them in.
    fn copies(&mut self, kept: Table, end: &str) -> Result<(), String> {
        let mut copies = Vec::new();
        for (file, item) in kept {
            let copy = item.into_table().map_err(|_| format!("{KEPT} has {file:?}, which is not a table"))?;
            let parts = file.split('/');
            if !file.ends_with(".toml") || parts.clone().any(|part| part.is_empty() || part.starts_with('.')) {
                return Err(format!("{KEPT} has {file:?}, which is not the path of a file below a folder"));
            }
            copies.push((file, copy));
        }
        // What ends one file was put before the head of the next.
        let heads = copies.iter().skip(1).map(|(_, next)| {
            let head = next.decor().prefix().and_then(|text| text.as_str()).unwrap_or_default();
            head.strip_suffix('\n').unwrap_or(head).to_owned()
        });
        let ends: Vec<String> = heads.chain([end.to_owned()]).collect();
        for ((file, mut copy), end) in copies.into_iter().zip(ends) {
            let mut path = Vec::new();
            self.fill(&file, &mut path, &mut copy);
            copy.set_position(None);
            copy.decor_mut().clear();
            let mut document = DocumentMut::from(copy);
            document.set_trailing(end);
            self.files.push((file.to_string(), document));
        }
        Ok(())
    }

    fn fill(&mut self, file: &str, path: &mut Vec<String>, table: &mut dyn TableLike) {
        let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let Some(item) = table.get_mut(&key) else { continue };
            path.push(key.clone());
            let marked = Target::of_theirs(path).filter(|target| item.as_str() == Some(&target.mark()));
            if let Some(target) = marked {
                self.fill_in(file, path, &key, &target, table);
            } else if let Some(inner) = item.as_table_like_mut() {
                self.fill(file, path, inner);
            } else {
                self.report.add(Outcome::Unknown, file, path, None, None);
            }
            path.pop();
        }
    }

    /// Puts a value in the place of its mark. Without a value the key goes.
    fn fill_in(&mut self, file: &str, path: &[String], key: &str, target: &Target, table: &mut dyn TableLike) {
        let Some(index) = self.ours.iter().position(|ours| ours.target == *target && ours.value.is_ok()) else {
            drop(table.remove(key));
            return;
        };
        let ours = self.ours.remove(index);
        let now = format!("{file}: {}", path.join("."));
        self.report.add(Outcome::Mapped, self.insula, &ours.path, Some(&now), None);
        if let (Some(before), Some(mut key)) = (ours.before, table.key_mut(key)) {
            key.leaf_decor_mut().set_prefix(before);
        }
        if let (Ok(mut value), Some(mark)) = (ours.value, table.get_mut(key).and_then(Item::as_value_mut)) {
            *value.decor_mut() = mark.decor().clone();
            if let Some(after) = ours.after {
                value.decor_mut().set_suffix(after);
            }
            *mark = value;
        }
    }

    /// Writes the settings that no copy has a place for.
    fn further(&mut self) {
        for ours in std::mem::take(&mut self.ours) {
            let target = ours.target;
            let value = match ours.value {
                Ok(value) => value,
                Err(problem) => {
                    self.report.add(Outcome::Lossy, self.insula, &ours.path, None, Some(&problem));
                    continue;
                }
            };
            let index = self.files.iter().position(|(file, _)| file == target.file).unwrap_or_else(|| {
                self.files.push((target.file.to_owned(), DocumentMut::new()));
                self.files.len() - 1
            });
            let (file, document) = &mut self.files[index];
            let key = target.theirs.join(".");
            if is_there(document.as_table(), &target.theirs) {
                let note = format!("{file} has a {key} that was kept");
                self.report.add(Outcome::Lossy, self.insula, &ours.path, None, Some(&note));
                continue;
            }
            let now = format!("{file}: {key}");
            put(document.as_table_mut(), &target.theirs, value, ours.before, ours.after);
            self.report.add(Outcome::Mapped, self.insula, &ours.path, Some(&now), None);
        }
    }

    /// Tells what SeckelAPI has no name for.
    fn unsaid(&mut self, document: &DocumentMut) {
        leaves(document.as_table(), &mut Vec::new(), &mut |path, _, _| {
            if Target::of_ours(path).is_none() {
                self.report.add(Outcome::Lossy, self.insula, path, None, Some("SeckelAPI has no such setting"));
            }
        });
    }
}

/// Whether there is something in the place of a value, or of a table that it would be in.
fn is_there(table: &Table, path: &[String]) -> bool {
    match path {
        [key] => table.contains_key(key),
        [key, rest @ ..] => match table.get(key) {
            Some(Item::Table(inner)) => is_there(inner, rest),
            other => other.is_some(),
        },
        [] => false,
    }
}
