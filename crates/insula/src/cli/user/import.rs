//! `insula user import`.

use std::{fmt::Write as _, fs::File, path::PathBuf};

use clap::Args;
use identity::{Actor, MovedIn, NewUser};
use serde::Serialize;

use super::{Output, Place, Which};
use crate::{
    failure::{Failure, Result, io},
    transfer::{Format, Progress},
    user_rows::{Row, UserRows},
};

/// Users that are stored at once.
const CHUNK: usize = 200;
/// Refused users that the report names; the others are counted.
const NAMED: usize = 1_000;

/// Move in the users of another program, 200 a transaction.
///
/// A CSV file names its fields in the first line, a JSON lines file in every object: username, email, name, group, and
/// `password_hash` (of bcrypt or Argon2) or password. Users whose name is there already are passed over, so that an
/// import can be run again, also after it was killed. Users that are refused are named with their lines, and the others
/// are stored all the same.
#[derive(Args)]
pub(in crate::cli) struct Import {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    pub(super) which: Which,
    /// What the file is [default: by its ending]
    #[arg(long)]
    format: Option<Format>,
    /// The group of those for whom the file names none [default: that of whoever registers]
    #[arg(long)]
    group: Option<String>,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

/// What came of it.
#[derive(Default, Serialize)]
struct Report {
    dry_run: bool,
    /// Users that were stored, or would be.
    added: u64,
    /// Users whose name was there already.
    present: u64,
    /// Users that are unfit.
    refused: u64,
    /// The first of them.
    problems: Vec<Bad>,
}

#[derive(Serialize)]
struct Bad {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    problem: String,
}

impl Report {
    fn refuse(&mut self, progress: &Progress, line: u64, field: Option<String>, problem: String) {
        self.refused += 1;
        if self.problems.len() < NAMED {
            let at = field.as_ref().map(|field| format!(" {field}:")).unwrap_or_default();
            progress.say(&format!("line {line}:{at} {problem}"));
            self.problems.push(Bad { line, field, problem });
        }
    }
}

impl Import {
    pub(super) async fn run(self, place: &Place<'_>, output: Output) -> Result<()> {
        let format = Format::of(self.format, &self.file)?;
        let file = File::open(&self.file).map_err(io(self.file.display()))?;
        let mut progress = Progress::new("import", file.metadata().map(|data| data.len()).ok());
        let mut rows = UserRows::new(file, format)?;
        let mut report = Report { dry_run: self.dry_run, ..Report::default() };
        let (mut lines, mut users) = (Vec::new(), Vec::new());
        loop {
            let row = rows.next()?;
            let ended = row.is_none();
            match row {
                Some(Row { line, user: Ok(user) }) => {
                    lines.push(line);
                    users.push(NewUser { group: user.group.or_else(|| self.group.clone()), ..user });
                }
                Some(Row { line, user: Err(problem) }) => report.refuse(&progress, line, None, problem),
                None => {}
            }
            if users.len() == CHUNK || ended {
                let chunk = std::mem::take(&mut users);
                let outcomes = place.identity.import_users(place.open, &Actor::operator(), chunk, self.dry_run).await?;
                for (line, outcome) in lines.drain(..).zip(outcomes) {
                    match outcome {
                        MovedIn::Added => report.added += 1,
                        MovedIn::Present => report.present += 1,
                        MovedIn::Refused(error) => report.refuse(&progress, line, error.field, error.message),
                    }
                }
                progress.at(rows.position(), report.added + report.present + report.refused);
            }
            if ended {
                break;
            }
        }
        drop(progress);
        output.print(&report, || tell(&report));
        if report.refused > 0 {
            return Err(Failure::Other(format!("{} users were refused", report.refused)));
        }
        Ok(())
    }
}

fn tell(report: &Report) -> String {
    let done = if report.dry_run { "would be" } else { "were" };
    let mut text = format!("{} users {done} added", report.added);
    if report.present > 0 {
        let _ = write!(text, ", {} were there already", report.present);
    }
    text
}
