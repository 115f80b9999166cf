//! Users of another program in a CSV or JSON lines file, read one by one.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use identity::NewUser;
use kernel::Secret;
use serde::Deserialize;

use crate::{
    failure::{Failure, Result},
    transfer::Format,
};

/// More than a user can have in one row; a longer one is a file that is none of this kind.
const LONGEST: u64 = 1 << 20;
const FIELDS: [&str; 6] = ["username", "email", "name", "group", "password_hash", "password"];

/// A row of the file.
pub(crate) struct Row {
    /// The line it begins in.
    pub(crate) line: u64,
    /// The user, or what is wrong with the row.
    pub(crate) user: Result<NewUser, String>,
}

/// Reads users.
pub(crate) enum UserRows {
    Csv(CsvUsers),
    Jsonl(JsonUsers),
}

impl UserRows {
    pub(crate) fn new(file: File, format: Format) -> Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(CsvUsers::new(file)?),
            Format::Jsonl => {
                Self::Jsonl(JsonUsers { reader: BufReader::new(file), line: 0, position: 0, bytes: Vec::new() })
            }
        })
    }

    /// The next user; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row>> {
        match self {
            Self::Csv(users) => users.next(),
            Self::Jsonl(users) => users.next(),
        }
    }

    /// Bytes that are read.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Csv(users) => users.reader.position().byte(),
            Self::Jsonl(users) => users.position,
        }
    }
}

/// A row as either file has it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    username: Option<String>,
    email: Option<String>,
    name: Option<String>,
    group: Option<String>,
    password_hash: Option<Secret>,
    password: Option<Secret>,
}

impl Given {
    /// An empty field is an absent one.
    fn user(self) -> Result<NewUser, String> {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let secret = |secret: Option<Secret>| secret.filter(|secret| !secret.expose().is_empty());
        Ok(NewUser {
            username: text(self.username).ok_or("the row has no username")?,
            email: text(self.email),
            name: text(self.name),
            group: text(self.group),
            password_hash: secret(self.password_hash),
            password: secret(self.password),
        })
    }
}

/// Reads no more than a row may have before it is told that a row has ended.
struct Bounded {
    file: File,
    read: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > LONGEST {
            return Err(io::Error::other("a row is longer than 1MB; is a closing quote missing?"));
        }
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

pub(crate) struct CsvUsers {
    reader: csv::Reader<Bounded>,
    /// What each column is, by its position in [`FIELDS`].
    columns: Vec<usize>,
    record: StringRecord,
}

impl CsvUsers {
    fn new(file: File) -> Result<Self> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(Bounded { file, read: 0 });
        let header = reader.headers().map_err(|error| Failure::Usage(format!("the header cannot be read: {error}")))?;
        let mut columns = Vec::new();
        for name in header {
            let known = FIELDS.iter().position(|field| *field == name.trim());
            let known = known
                .ok_or_else(|| Failure::Usage(format!("the header has {name:?}; known are {}", FIELDS.join(", "))))?;
            if columns.contains(&known) {
                return Err(Failure::Usage(format!("the header has {name} twice")));
            }
            columns.push(known);
        }
        if !columns.contains(&0) {
            return Err(Failure::Usage("the header has no username".to_owned()));
        }
        Ok(Self { reader, columns, record: StringRecord::new() })
    }

    fn next(&mut self) -> Result<Option<Row>> {
        self.reader.get_mut().read = 0;
        let line = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => {
                return match error.into_kind() {
                    ErrorKind::Io(error) => Err(Failure::Io(format!("line {line}"), error)),
                    ErrorKind::Utf8 { .. } => Ok(Some(Row { line, user: Err("not UTF-8".to_owned()) })),
                    other => Err(Failure::Other(format!("line {line}: {other:?}"))),
                };
            }
        }
        // Blank lines before the row belong to it as far as positions go.
        let line = self.record.position().map_or(line, csv::Position::line);
        Ok(Some(Row { line, user: self.user() }))
    }

    fn user(&self) -> Result<NewUser, String> {
        if self.record.len() != self.columns.len() {
            return Err(format!("{} fields where the header has {}", self.record.len(), self.columns.len()));
        }
        let mut given = Given::default();
        for (text, column) in self.record.iter().zip(&self.columns) {
            match FIELDS[*column] {
                "username" => given.username = Some(text.to_owned()),
                "email" => given.email = Some(text.to_owned()),
                "name" => given.name = Some(text.to_owned()),
                "group" => given.group = Some(text.to_owned()),
                "password_hash" => given.password_hash = Some(Secret::new(text)),
                _ => given.password = Some(Secret::new(text)),
            }
        }
        given.user()
    }
}

pub(crate) struct JsonUsers {
    reader: BufReader<File>,
    line: u64,
    position: u64,
    bytes: Vec<u8>,
}

impl JsonUsers {
    fn next(&mut self) -> Result<Option<Row>> {
        loop {
            self.bytes.clear();
            let line = self.line + 1;
            let failed = |error| Failure::Io(format!("line {line}"), error);
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.bytes).map_err(failed)?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LONGEST && !self.bytes.ends_with(b"\n") {
                return Err(failed(io::Error::other("a row is longer than 1MB")));
            }
            self.line = line;
            self.position += read as u64;
            if !self.bytes.trim_ascii().is_empty() {
                let given: Result<Given, _> = serde_json::from_slice(&self.bytes);
                // What serde says may quote the row, and the row has secrets.
                let given = given.map_err(|error| match error.classify() {
                    serde_json::error::Category::Data => {
                        format!("a row is an object of text with the fields {}", FIELDS.join(", "))
                    }
                    _ => "not a JSON object".to_owned(),
                });
                return Ok(Some(Row { line, user: given.and_then(Given::user) }));
            }
        }
    }
}
