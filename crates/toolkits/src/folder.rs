//! The toolkits of a tenant: the files in the folder `toolkits` of its folder.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::RangeInclusive,
    path::Path,
    sync::Arc,
};

use kernel::toolkits::TableTerms;
use store::Schema;

use crate::{
    checking::{Checked, Checker},
    file::ToolkitFile,
    reading::{Mistake, nearest},
    toolkit::{Need, Toolkit},
};

/// The folder below a tenant's.
pub const FOLDER: &str = "toolkits";
/// Files that a tenant may have.
const MOST_FILES: usize = 200;
/// The largest file, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// The powers that there are.
pub(crate) const POWERS: RangeInclusive<u8> = 1..=100;

/// What the files of a tenant say.
#[derive(Default)]
pub(crate) struct Files {
    /// Toolkits without mistakes, by name.
    pub(crate) toolkits: BTreeMap<String, Arc<Toolkit>>,
    /// All mistakes, in the order of files and lines.
    pub(crate) mistakes: Vec<Mistake>,
    /// Names of files with mistakes, without their endings.
    pub(crate) broken: Vec<String>,
    /// What is said about tables.
    pub(crate) tables: HashMap<String, TableTerms>,
}

impl Files {
    /// Reads and checks the files of a tenant's folder. It blocks. `before` is what is in force.
    ///
    /// A file that cannot be read, or has mistakes, is among [`Self::broken`]; what can be read of it against writing
    /// is in force all the same. Errors: the folder itself cannot be read.
    pub(crate) fn read(tenant_folder: &Path, checker: &Checker<'_>, before: Option<&Self>) -> io::Result<Self> {
        let mut files = Self::default();
        for stem in stems(&tenant_folder.join(FOLDER))? {
            let path = tenant_folder.join(FOLDER).join(format!("{stem}.toml"));
            let checked = match text(&path) {
                Ok(text) => {
                    checker.check(&stem, &text, before.and_then(|before| before.toolkits.get(&stem)).map(|it| &**it))
                }
                Err(problem) => {
                    let file = format!("{FOLDER}/{stem}.toml");
                    let mistake = Mistake { file, line: 0, key: String::new(), problem };
                    Checked::Broken(Box::default(), vec![mistake])
                }
            };
            files.add(stem, checked);
        }
        Ok(files)
    }

    /// Where the files speak of tables and columns that the tenant's database does not have.
    pub(crate) fn against(&self, schema: &Schema) -> Vec<Mistake> {
        let needs = self.toolkits.iter().flat_map(|(stem, toolkit)| toolkit.needs.iter().map(move |need| (stem, need)));
        let mistake = |(stem, need): (&String, &Need)| {
            let problem = need.missing(schema)?;
            let file = format!("{FOLDER}/{stem}.toml");
            Some(Mistake { file, line: need.line, key: need.key.clone(), problem })
        };
        needs.filter_map(mistake).collect()
    }

    fn add(&mut self, stem: String, checked: Checked) {
        match checked {
            Checked::Good(toolkit) => {
                self.protect(&toolkit.file);
                if toolkit.file.enabled {
                    self.generate(&stem, &toolkit.file);
                }
                self.toolkits.insert(stem, Arc::from(toolkit));
            }
            Checked::Broken(file, mistakes) => {
                self.protect(&file);
                self.mistakes.extend(mistakes);
                self.broken.push(stem);
            }
        }
    }

    /// What is against writing holds whether the toolkit is switched off or broken: nothing opens by mistake.
    fn protect(&mut self, file: &ToolkitFile) {
        // A file with mistakes may have a power that there is not.
        let power = Some(file.read_only_override_power).filter(|power| POWERS.contains(power)).unwrap_or(*POWERS.end());
        // Who writes the table of groups gives rights, whatever the own ones are.
        let groups = file.groups_table.iter().map(|table| (table, *POWERS.end()));
        for (table, power) in file.read_only_tables.iter().map(|table| (table, power)).chain(groups) {
            let terms = self.tables.entry(table.clone()).or_default();
            terms.read_only_below = terms.read_only_below.max(Some(power));
        }
        for (table, column) in file.write_protected_columns.iter().filter_map(|name| name.split_once('.')) {
            let protected = &mut self.tables.entry(table.to_owned()).or_default().write_protected;
            if !protected.iter().any(|known| known == column) {
                protected.push(column.to_owned());
            }
        }
    }

    fn generate(&mut self, stem: &str, file: &ToolkitFile) {
        for (table, columns) in &file.auto_generation {
            let generated = &mut self.tables.entry(table.clone()).or_default().generated;
            for (column, generation) in columns {
                if generated.iter().any(|known| known.column == *column) {
                    let problem = "another toolkit fills in this column already; leave one of them out".to_owned();
                    let key = format!("auto_generation.{table}.{column}");
                    self.mistakes.push(Mistake { file: format!("{FOLDER}/{stem}.toml"), line: 0, key, problem });
                } else {
                    generated.push(generation.column(column));
                }
            }
        }
    }
}

impl Need {
    /// What the database lacks of it.
    fn missing(&self, schema: &Schema) -> Option<String> {
        let Some(table) = schema.table(&self.table) else {
            let known: Vec<_> = schema.tables().filter(|table| !table.is_system()).map(|table| &*table.name).collect();
            return Some(format!("the database has no table {}; {}", self.table, nearest(&self.table, &known)));
        };
        let column = self.column.as_ref()?;
        let known: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
        match table.column(column) {
            None => Some(format!("the table {} has no column {column}; {}", table.name, nearest(column, &known))),
            Some(found) if self.filled && found.generated => {
                Some("the database computes this column; leave it out".to_owned())
            }
            Some(_) => None,
        }
    }
}

/// The names of the files without their endings, in order. None where there is no folder.
fn stems(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut stems = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(stem) = name.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')) {
            stems.push(stem.to_owned());
        }
    }
    if stems.len() > MOST_FILES {
        return Err(io::Error::other(format!("the folder {FOLDER} has more than {MOST_FILES} files")));
    }
    stems.sort();
    Ok(stems)
}

fn text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("the file cannot be read: {error}");
    if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err("the file is larger than 1MB; split it into two toolkits".to_owned());
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
