//! SeckelAPI's files into Insula's.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, Item, RawString, Table, TableLike, Value};

use crate::{
    File, GroupPlan, KEPT, Outcome, Report, Unreadable,
    groups::{self, Groups},
    parsed,
    settings::{ALWAYS, Target},
    toolkit,
};

/// What comes before the copies of SeckelAPI's files.
const REMARK: &str = "\n# SeckelAPI's files, for `insula config export --to seckelapi`. `-> KEY` is where a value is now; the\n\
    # rest is kept as it was and has no effect.\n";
/// Deeper tables are kept without a look at them.
const MAX_DEPTH: usize = 32;

/// What SeckelAPI's files are in Insula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// `insula.toml`.
    pub insula: String,
    /// Toolkits: `<name>.toml`.
    pub toolkits: Vec<File>,
    /// Groups, for the databases of the tenants.
    pub groups: Vec<GroupPlan>,
    /// What became of each key.
    pub report: Report,
}

/// Turns files in the order of their paths. Toolkits are those in a folder `toolkits`.
pub fn import(files: &[File]) -> Result<Imported, Unreadable> {
    let mut files: Vec<&File> = files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut work = Import::default();
    let mut toolkits: Vec<File> = Vec::new();
    for File { path, text } in files {
        let document = parsed(path, text)?;
        let Some(name) = toolkit::name(path) else {
            work.settings(path, document)?;
            continue;
        };
        let text = toolkit::import(path, document, &mut work.report)?;
        if toolkits.iter().any(|other| other.path == name) {
            let problem = "there are two toolkits of this name".to_owned();
            return Err(Unreadable { path: path.clone(), line: 1, problem });
        }
        toolkits.push(File { path: name.to_owned(), text });
    }
    let insula = work.written();
    Ok(Imported { insula, toolkits, groups: work.groups.0, report: work.report })
}

#[derive(Default)]
struct Import {
    ours: DocumentMut,
    kept: Vec<(String, DocumentMut)>,
    taken: BTreeSet<String>,
    groups: Groups,
    report: Report,
}

impl Import {
    fn settings(&mut self, file: &str, mut document: DocumentMut) -> Result<(), Unreadable> {
        if document.contains_key(KEPT) {
            let problem = format!("{KEPT} is Insula's word for what is SeckelAPI's; these are Insula's files");
            return Err(Unreadable { path: file.to_owned(), line: 1, problem });
        }
        self.look(file, &mut Vec::new(), document.as_table_mut());
        self.kept.push((file.to_owned(), document));
        Ok(())
    }

    fn look(&mut self, file: &str, path: &mut Vec<String>, table: &mut dyn TableLike) {
        let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            path.push(key.clone());
            self.look_at(file, path, &key, table);
            path.pop();
        }
    }

    fn look_at(&mut self, file: &str, path: &mut Vec<String>, key: &str, table: &mut dyn TableLike) {
        let Some(item) = table.get_mut(key) else { return };
        if let Some(inner) = item.as_table_like_mut() {
            if groups::is_field(key) {
                self.by_group(file, path, key, inner);
            } else if groups::is_group(key, inner) {
                self.group(file, path, key, inner);
            } else if path.len() < MAX_DEPTH {
                self.look(file, path, inner);
            } else {
                self.report.add(Outcome::Unknown, file, path, None, Some("nested too deeply to look into"));
            }
            return;
        }
        if let Some((_, always, note)) = ALWAYS.iter().find(|(name, ..)| *name == key) {
            let outcome = if item.as_bool() == Some(*always) { Outcome::Mapped } else { Outcome::Lossy };
            self.report.add(outcome, file, path, None, Some(note));
            return;
        }
        match Target::of_theirs(path) {
            Some(target) => self.setting(file, path, key, &target, table),
            None if groups::is_field(key) => {
                let note = "whose it is cannot be told; each group has its own: insula group set NAME";
                self.report.add(Outcome::Lossy, file, path, None, Some(note));
            }
            None => self.report.add(Outcome::Unknown, file, path, None, None),
        }
    }

    /// Moves the value of a setting, its comments with it, and leaves a mark.
    fn setting(&mut self, file: &str, path: &[String], key: &str, target: &Target, table: &mut dyn TableLike) {
        let Some(value) = table.get(key).and_then(Item::as_value) else {
            return self.report.add(Outcome::Lossy, file, path, None, Some("expected one value, not a list of tables"));
        };
        let mark = target.mark();
        let ours = match target.to_ours(value) {
            Ok(_) if !self.taken.insert(mark.clone()) => {
                return self.report.add(Outcome::Lossy, file, path, None, Some("it is there a second time"));
            }
            Ok(ours) => ours,
            Err(wanted) => {
                return self.report.add(Outcome::Lossy, file, path, None, Some(&format!("expected {wanted}")));
            }
        };
        let mut before = None;
        if let Some(mut key) = table.key_mut(key) {
            before = take_comment(key.leaf_decor_mut().prefix().cloned());
            if before.is_some() {
                key.leaf_decor_mut().set_prefix("");
            }
        }
        let mut after = None;
        if let Some(value) = table.get_mut(key).and_then(Item::as_value_mut) {
            let mut mark = Value::from(mark);
            *mark.decor_mut() = value.decor().clone();
            after = take_comment(mark.decor().suffix().cloned());
            if after.is_some() {
                mark.decor_mut().set_suffix("");
            }
            *value = mark;
        }
        put(self.ours.as_table_mut(), &target.ours, ours, before, after);
        self.report.add(Outcome::Mapped, file, path, Some(&target.ours.join(".")), None);
    }

    /// A table with the fields of one group.
    fn group(&mut self, file: &str, path: &[String], group: &str, table: &dyn TableLike) {
        for (key, item) in table.iter() {
            let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
            if !groups::is_field(key) && key != "power" {
                self.report.add(Outcome::Unknown, file, &path, None, None);
            } else {
                self.field(file, &path, group, key, item);
            }
        }
    }

    /// A table with one field of several groups, by name or power.
    fn by_group(&mut self, file: &str, path: &[String], field: &str, table: &dyn TableLike) {
        for (group, item) in table.iter() {
            let path: Vec<String> = path.iter().cloned().chain([group.to_owned()]).collect();
            self.field(file, &path, group, field, item);
        }
    }

    fn field(&mut self, file: &str, path: &[String], group: &str, field: &str, item: &Item) {
        match self.groups.set(group, field, item) {
            Ok(()) => self.report.add(Outcome::Group, file, path, None, None),
            Err(wanted) => self.report.add(Outcome::Lossy, file, path, None, Some(wanted)),
        }
    }

    /// Puts the marked copies behind the settings.
    fn written(&mut self) -> String {
        if self.kept.is_empty() {
            return self.ours.to_string();
        }
        let mut copies = Table::new();
        copies.set_implicit(true);
        let (mut position, mut before) = (1, REMARK.to_owned());
        for (file, document) in self.kept.drain(..) {
            let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
            let mut copy = document.into_table();
            copy.set_implicit(false);
            copy.set_position(Some(position));
            copy.decor_mut().set_prefix(std::mem::replace(&mut before, format!("{trailing}\n")));
            position = shifted(&mut copy, position);
            copies.insert(&file, Item::Table(copy));
        }
        self.ours.insert(KEPT, Item::Table(copies));
        self.ours.set_trailing(before.strip_suffix('\n').unwrap_or_default());
        self.ours.to_string()
    }
}

/// White space with a comment in it.
pub(crate) fn take_comment(decor: Option<RawString>) -> Option<RawString> {
    decor.filter(|text| text.as_str().is_some_and(|text| text.contains('#')))
}

/// Writes a value under a key with its sections, which are made where they are missing.
pub(crate) fn put(
    mut table: &mut Table,
    path: &[String],
    value: Value,
    before: Option<RawString>,
    after: Option<RawString>,
) {
    let Some((key, sections)) = path.split_last() else { return };
    for section in sections {
        let is_missing = !table.contains_key(section);
        let Some(inner) = table.entry(section).or_insert_with(|| Item::Table(Table::new())).as_table_mut() else {
            return;
        };
        if is_missing {
            inner.set_implicit(true);
        }
        table = inner;
    }
    let mut value = value;
    if let Some(after) = after {
        value.decor_mut().set_suffix(after);
    }
    table.insert(key, Item::Value(value));
    if let (Some(before), Some(mut key)) = (before, table.key_mut(key)) {
        key.leaf_decor_mut().set_prefix(before);
    }
}

/// Moves the tables in a table behind a position, in their order. Answers the last position.
fn shifted(table: &mut Table, by: isize) -> isize {
    let mut last = by;
    for (_, item) in table.iter_mut() {
        let mut shift = |inner: &mut Table| {
            if let Some(position) = inner.position() {
                inner.set_position(Some(position + by));
                last = last.max(position + by);
            }
            // The positions below are counted from the beginning of the same file.
            last = last.max(shifted(inner, by));
        };
        match item {
            Item::Table(inner) => shift(inner),
            Item::ArrayOfTables(list) => list.iter_mut().for_each(shift),
            _ => {}
        }
    }
    last
}
