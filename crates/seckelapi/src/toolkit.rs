//! Toolkits, which are nearly the same on both sides: what Insula does not know moves to the end and back.

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

use crate::{KEPT, Outcome, Report, Unreadable, parsed};

/// The folder of toolkits.
pub(crate) const FOLDER: &str = "toolkits";

/// What a known key holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Bool,
    Text,
    Texts,
    Number,
    /// A table whose keys are known.
    Table(&'static [Field]),
    /// Tables by names of the author's, each with known keys.
    Named(&'static [Field]),
    /// Something that is taken as it is.
    Any,
}

struct Field {
    name: &'static str,
    shape: Shape,
    /// Whether SeckelAPI knows it.
    shared: bool,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

const fn shared(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, shared: true }
}

const fn ours(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, shared: false }
}

const ROOT: &[Field] = &[
    shared("name", Shape::Text),
    shared("type", Shape::Text),
    shared("enabled", Shape::Bool),
    shared("tables", Shape::Texts),
    shared("read_only_tables", Shape::Texts),
    shared("write_protected_columns", Shape::Texts),
    shared("groups_table", Shape::Text),
    shared("endpoints", Shape::Named(ENDPOINT)),
    shared("scheduled_queries", Shape::Any),
    shared("auto_generation", Shape::Any),
    shared("system_column_overrides", Shape::Named(SYSTEM_COLUMNS)),
    shared("db_fallback_permissions", Shape::Named(RIGHTS)),
    shared("max_body_size", Shape::Text),
    shared("pseudo_querys", Shape::Any),
    ours("description", Shape::Text),
    ours("read_only_override_power", Shape::Number),
    ours("groups", Shape::Any),
    ours("associations", Shape::Any),
];

const ENDPOINT: &[Field] = &[
    shared("path", Shape::Text),
    shared("methods", Shape::Texts),
    shared("type", Shape::Text),
    shared("url", Shape::Text),
    shared("response_format", Shape::Text),
    shared("max_body_size", Shape::Text),
    shared("timeout_seconds", Shape::Number),
    shared("client_filter", Shape::Table(FILTER)),
    shared("inject_db_context", Shape::Texts),
    shared("overwrite_wrapping", Shape::Bool),
    shared("pseudo_querys", Shape::Texts),
    ours("timeout", Shape::Text),
    ours("description", Shape::Text),
    ours("rights", Shape::Text),
    ours("answer", Shape::Text),
    ours("method", Shape::Text),
    ours("headers", Shape::Any),
    ours("connect_timeout", Shape::Text),
    ours("max_response_size", Shape::Text),
    ours("max_passthrough_size", Shape::Text),
    ours("retries", Shape::Number),
    ours("breaker_failures", Shape::Number),
    ours("breaker_pause", Shape::Text),
    ours("max_concurrent", Shape::Number),
    ours("command", Shape::Texts),
    ours("working_directory", Shape::Text),
    ours("environment", Shape::Any),
    ours("cpu_time", Shape::Text),
    ours("memory", Shape::Text),
    ours("max_output_size", Shape::Text),
    ours("max_file_size", Shape::Text),
    ours("max_processes", Shape::Number),
    ours("max_open_files", Shape::Number),
    ours("context_as_argument", Shape::Bool),
];

const FILTER: &[Field] =
    &[shared("allowed_fields", Shape::Texts), shared("required_fields", Shape::Texts), ours("types", Shape::Any)];

const RIGHTS: &[Field] = &[
    shared("basic_rules", Shape::Texts),
    shared("advanced_rules", Shape::Texts),
    shared("permissions", Shape::Texts),
    shared("endpoint_permissions", Shape::Texts),
    ours("column_rules", Shape::Texts),
];

const SYSTEM_COLUMNS: &[Field] = &[
    shared("all", Shape::Bool),
    shared("created_at", Shape::Bool),
    shared("created_by", Shape::Bool),
    shared("last_modified_at", Shape::Bool),
    shared("last_modified_by", Shape::Bool),
    shared("pinned_to", Shape::Bool),
];

/// Whether a file is a toolkit: it lies in a folder `toolkits`.
pub fn is_toolkit(path: &str) -> bool {
    name(path).is_some()
}

/// The file's name, where it is a toolkit.
pub(crate) fn name(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    (folder == FOLDER || folder.ends_with("/toolkits")).then_some(name)
}

/// Insula's text of a toolkit.
pub(crate) fn import(path: &str, mut document: DocumentMut, report: &mut Report) -> Result<String, Unreadable> {
    if document.contains_key(KEPT) {
        let problem = format!("{KEPT} is Insula's word for what is SeckelAPI's; these are Insula's files");
        return Err(Unreadable { path: path.to_owned(), line: 1, problem });
    }
    let mut work = Sorting { file: path, moved: Vec::new(), report };
    work.sort(ROOT, &mut Vec::new(), document.as_table_mut());
    let moved = work.moved;
    let mut kept = Table::new();
    kept.set_implicit(true);
    for (place, key, item) in moved {
        put(&mut kept, &place, key, item);
    }
    if !kept.is_empty() {
        document.insert(KEPT, Item::Table(kept));
    }
    Ok(document.to_string())
}

/// SeckelAPI's text of a toolkit.
pub(crate) fn export(path: &str, text: &str, report: &mut Report) -> Result<String, Unreadable> {
    let mut document = parsed(path, text)?;
    let kept = document.remove(KEPT);
    tell(path, ROOT, &mut Vec::new(), document.as_table(), report);
    if let Some(Item::Table(kept)) = kept {
        give_back(path, kept, &mut Vec::new(), document.as_table_mut(), report);
    }
    Ok(document.to_string())
}

/// A key that is moved, with the tables it was in.
type Moved = (Vec<String>, Key, Item);

struct Sorting<'a> {
    file: &'a str,
    moved: Vec<Moved>,
    report: &'a mut Report,
}

impl Sorting<'_> {
    fn sort(&mut self, fields: &'static [Field], path: &mut Vec<String>, table: &mut Table) {
        let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            path.push(key.clone());
            let field = fields.iter().find(|field| field.name == key);
            let taken = match (field, table.get_mut(&key)) {
                (Some(field), Some(item)) => self.take(field.shape, path, item),
                _ => Err((Outcome::Unknown, "")),
            };
            match taken {
                Ok(()) => {}
                Err((outcome, note)) => {
                    self.report.add(outcome, self.file, path, None, Some(note).filter(|note| !note.is_empty()));
                    if let Some((key, item)) = table.remove_entry(&key) {
                        self.moved.push((path[..path.len() - 1].to_vec(), key, item));
                    }
                }
            }
            path.pop();
        }
    }

    /// Looks into the value of a known key. The error is for a value that Insula cannot take.
    fn take(&mut self, shape: Shape, path: &mut Vec<String>, item: &mut Item) -> Result<(), (Outcome, &'static str)> {
        let wrong = |wanted| Err((Outcome::Lossy, wanted));
        match (shape, item) {
            (Shape::Any, _)
            | (Shape::Table(_) | Shape::Named(_), Item::Value(Value::InlineTable(_) | Value::Array(_))) => {
                let note = "taken as it is: see what `insula config check` says of it";
                self.report.add(Outcome::Mapped, self.file, path, None, Some(note));
                return Ok(());
            }
            (Shape::Bool, item) if !item.is_bool() => return wrong("expected true or false"),
            (Shape::Text, item) if !item.is_str() => return wrong("expected text"),
            (Shape::Number, item) if item.as_integer().is_none_or(|number| number < 0) => {
                return wrong("expected a whole number");
            }
            (Shape::Texts, item) if !is_texts(item) => return wrong("expected a list of texts"),
            (Shape::Bool | Shape::Text | Shape::Number | Shape::Texts, _) => {
                self.report.add(Outcome::Mapped, self.file, path, None, None);
            }
            (Shape::Table(fields), Item::Table(table)) => self.sort(fields, path, table),
            (Shape::Named(fields), Item::Table(tables)) => {
                let names: Vec<String> = tables.iter().map(|(name, _)| name.to_owned()).collect();
                for name in names {
                    path.push(name.clone());
                    match tables.get_mut(&name) {
                        Some(Item::Table(table)) => self.sort(fields, path, table),
                        _ => self.report.add(Outcome::Mapped, self.file, path, None, Some("taken as it is")),
                    }
                    path.pop();
                }
            }
            (Shape::Named(fields), Item::ArrayOfTables(tables)) => {
                for (index, table) in tables.iter_mut().enumerate() {
                    path.push(index.to_string());
                    self.sort(fields, path, table);
                    path.pop();
                }
            }
            (Shape::Table(_) | Shape::Named(_), _) => return wrong("expected a table"),
        }
        Ok(())
    }
}

fn is_texts(item: &Item) -> bool {
    item.as_array().is_some_and(|list| list.iter().all(Value::is_str))
}

fn put(mut table: &mut Table, place: &[String], key: Key, item: Item) {
    for part in place {
        let inner = table.entry(part).or_insert_with(|| {
            let mut inner = Table::new();
            inner.set_implicit(true);
            Item::Table(inner)
        });
        let Some(inner) = inner.as_table_mut() else { return };
        table = inner;
    }
    table.insert_formatted(&key, unplaced(item));
}

/// A table without the place in a document that it came from.
fn unplaced(mut item: Item) -> Item {
    match &mut item {
        Item::Table(table) => forget_place(table),
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(forget_place),
        _ => {}
    }
    item
}

fn forget_place(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(inner) => forget_place(inner),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(forget_place),
            _ => {}
        }
    }
}

/// Tells what of a toolkit SeckelAPI is not known to understand.
fn tell(file: &str, fields: &'static [Field], path: &mut Vec<String>, table: &dyn TableLike, report: &mut Report) {
    for (key, item) in table.iter() {
        path.push(key.to_owned());
        match fields.iter().find(|field| field.name == key) {
            Some(Field { shape: Shape::Table(inner), shared: true, .. }) if item.is_table_like() => {
                item.as_table_like().iter().for_each(|table| tell(file, inner, path, *table, report));
            }
            Some(Field { shape: Shape::Named(inner), shared: true, .. }) => {
                for (name, table) in named(item) {
                    path.push(name);
                    tell(file, inner, path, table, report);
                    path.pop();
                }
            }
            Some(Field { shared: true, .. }) => report.add(Outcome::Mapped, file, path, None, None),
            _ => report.add(Outcome::Lossy, file, path, None, Some("SeckelAPI is not known to have such a key")),
        }
        path.pop();
    }
}

fn named(item: &Item) -> Vec<(String, &dyn TableLike)> {
    match item {
        Item::ArrayOfTables(tables) => {
            tables.iter().enumerate().map(|(index, table)| (index.to_string(), table as &dyn TableLike)).collect()
        }
        _ => {
            let tables = item.as_table_like().into_iter().flat_map(TableLike::iter);
            tables.filter_map(|(name, item)| Some((name.to_owned(), item.as_table_like()?))).collect()
        }
    }
}

/// Puts kept keys back into the tables they came from.
fn give_back(file: &str, kept: Table, path: &mut Vec<String>, table: &mut Table, report: &mut Report) {
    let keys: Vec<Key> = kept.iter().filter_map(|(name, _)| kept.key(name).cloned()).collect();
    let mut kept = kept;
    for key in keys {
        let Some(item) = kept.remove(key.get()) else { continue };
        path.push(key.get().to_owned());
        match (item, table.get_mut(key.get())) {
            (Item::Table(inner), Some(Item::Table(table))) => give_back(file, inner, path, table, report),
            (Item::Table(inner), Some(Item::ArrayOfTables(tables))) => {
                for (index, item) in inner {
                    let table = index.parse().ok().and_then(|index: usize| tables.get_mut(index));
                    path.push(index.to_string());
                    match (item, table) {
                        (Item::Table(inner), Some(table)) => give_back(file, inner, path, table, report),
                        _ => report.add(Outcome::Lossy, file, path, None, Some("the table it was in is gone")),
                    }
                    path.pop();
                }
            }
            (_, Some(_)) => report.add(Outcome::Lossy, file, path, None, Some("Insula's file has this key, too")),
            (item, None) => {
                table.insert_formatted(&key, unplaced(item));
                report.add(Outcome::Unknown, file, path, None, None);
            }
        }
        path.pop();
    }
}
