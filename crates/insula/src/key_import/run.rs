//! The two looks at the old keys.

use std::{collections::HashSet, sync::Arc};

use identity::{Draft, ForeignKey, Identity, Import, Imported, User};
use store::{Change, OpenTenant, Value};

use super::{
    class::Class,
    file::KeyFile,
    owners::Owners,
    report::Report,
    row::Row,
    table::{KeyTable, apply},
};
use crate::{failure::Result, transfer::Progress};

/// Rows of a transaction.
const PAGE: usize = 100;

/// Where old keys are.
pub(crate) enum Source {
    Table(Box<KeyTable>),
    File(KeyFile),
}

/// An import of old keys.
pub(crate) struct KeyImport<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) open: &'a OpenTenant,
    pub(crate) rules: Import<'a>,
    pub(crate) source: Source,
    /// What all keys are, where the operator says so.
    pub(crate) class: Option<fn(&str) -> Class>,
    /// Whose keys are that name nobody who is known.
    pub(crate) fallback: Option<User>,
    pub(crate) apply: bool,
    /// Whether old keys stay where they are.
    pub(crate) keep_source: bool,
}

/// A row with what is to be written of it.
struct Ready {
    row: Row,
    class: Class,
    from: String,
    owner: Option<Arc<User>>,
    draft: Draft,
}

/// Where a look at the rows is.
enum Cursor {
    Table(Option<Value>),
    File(Box<dyn Iterator<Item = Result<Option<Row>>> + Send>),
    End,
}

impl KeyImport<'_> {
    /// Looks at all rows, and once more to write, or to tell what would be written.
    pub(crate) async fn run(self, progress: &mut Progress) -> Result<Report> {
        let (total, lengths) = self.survey().await?;
        let mut report = Report { applied: self.apply, source: self.label(), ..Report::default() };
        report.not_blanked = self.stays();
        let mut owners = Owners::new(self.identity, self.open, self.fallback.clone());
        let mut cursor = self.begin()?;
        loop {
            let (rows, next) = self.next(cursor).await?;
            if rows.is_empty() && matches!(next, Cursor::End) {
                break;
            }
            cursor = next;
            let page = self.prepare(rows, &lengths, &mut owners, &mut report).await?;
            self.settle(page, &mut report).await?;
            progress.at(report.rows.min(total), report.rows);
        }
        Ok(report)
    }

    fn label(&self) -> String {
        match &self.source {
            Source::Table(table) => table.label(),
            Source::File(file) => file.label(),
        }
    }

    /// Why the old keys stay where they are.
    fn stays(&self) -> Option<String> {
        match &self.source {
            Source::File(_) => Some("destroy the file once nobody needs it".to_owned()),
            Source::Table(_) if self.keep_source => Some("as was asked for".to_owned()),
            Source::Table(table) => table.cannot_be_blanked(),
        }
    }

    fn begin(&self) -> Result<Cursor> {
        Ok(match &self.source {
            Source::Table(_) => Cursor::Table(None),
            Source::File(file) => Cursor::File(file.rows()?),
        })
    }

    /// The next rows and where to go on.
    async fn next(&self, cursor: Cursor) -> Result<(Vec<Row>, Cursor)> {
        match (&self.source, cursor) {
            (Source::Table(table), Cursor::Table(after)) => {
                let (rows, last) = table.page(after.as_ref(), PAGE as u64).await?;
                Ok((rows, last.map_or(Cursor::End, |last| Cursor::Table(Some(last)))))
            }
            (Source::File(_), Cursor::File(mut rows)) => {
                let mut page = Vec::with_capacity(PAGE);
                while page.len() < PAGE {
                    match rows.next() {
                        Some(row) => page.extend(row?),
                        None => return Ok((page, Cursor::End)),
                    }
                }
                Ok((page, Cursor::File(rows)))
            }
            _ => Ok((Vec::new(), Cursor::End)),
        }
    }

    /// How many rows there are, and the lengths of what was enciphered: a text of such a length in the same column that
    /// happens to look like a key is none.
    async fn survey(&self) -> Result<(u64, HashSet<usize>)> {
        let (mut total, mut lengths) = (0, HashSet::new());
        let mut cursor = self.begin()?;
        loop {
            let (rows, next) = self.next(cursor).await?;
            total += rows.len() as u64;
            let texts = rows.iter().map(|row| row.text.expose());
            lengths.extend(texts.filter(|text| Class::of(text) == Class::Cipher).map(str::len));
            if matches!(next, Cursor::End) {
                return Ok((total, lengths));
            }
            cursor = next;
        }
    }

    fn classify(&self, text: &str, lengths: &HashSet<usize>) -> Class {
        match (Class::of(text), self.class) {
            (Class::Own, _) => Class::Own,
            (_, Some(class)) => class(text),
            (Class::Raw, None) if lengths.contains(&text.len()) => Class::Cipher,
            (class, None) => class,
        }
    }

    /// Counts the rows of a page and says what is to be written of them.
    async fn prepare(
        &self,
        rows: Vec<Row>,
        lengths: &HashSet<usize>,
        owners: &mut Owners<'_>,
        report: &mut Report,
    ) -> Result<Vec<Ready>> {
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let class = self.classify(row.text.expose(), lengths);
            report.class(class);
            let id = row.id.clone().unwrap_or_else(|| self.rules.label(&row.text));
            let from = format!("{}#{id}", report.source);
            let (owner, draft) = match class {
                Class::Own => {
                    report.own += 1;
                    continue;
                }
                Class::ThirdParty(provider) => (None, self.rules.secret(provider, &row.text, &from)?),
                _ => {
                    let Some(owner) = owners.of(row.owner.as_deref()).await? else {
                        report.nobody(&from, row.owner.as_deref(), class);
                        continue;
                    };
                    let draft = self.key(&row, class, &owner, &id, &from);
                    (Some(owner), draft)
                }
            };
            page.push(Ready { row, class, from, owner, draft });
        }
        Ok(page)
    }

    fn key(&self, row: &Row, class: Class, owner: &User, id: &str, imported_from: &str) -> Draft {
        let name = row.name.clone().unwrap_or_else(|| format!("imported {id}"));
        let (text, name, is_good) = (&row.text, name.as_str(), class == Class::Raw);
        self.rules.key(&ForeignKey { text, owner, name, imported_from, is_good })
    }

    /// Writes a page and blanks it, or only tells what would be.
    async fn settle(&self, page: Vec<Ready>, report: &mut Report) -> Result<()> {
        let drafts: Vec<_> = page.iter().map(|ready| ready.draft.clone()).collect();
        let outcomes = if self.apply {
            let (outcomes, blanked) = self.write(drafts, self.blankings(&page, report)).await?;
            report.blanked += blanked;
            outcomes
        } else {
            self.rules.foresee(&drafts).await?
        };
        if self.apply {
            self.blank_elsewhere(&page, report).await;
        }
        for (ready, outcome) in page.iter().zip(outcomes) {
            let owner = ready.owner.as_ref().map(|owner| owner.username.as_str()).or(ready.row.owner.as_deref());
            report.outcome(outcome, &ready.from, owner, ready.class);
        }
        Ok(())
    }

    /// Whether the old keys lie in the database that the new ones are written to.
    fn is_one_database(&self) -> bool {
        matches!(&self.source, Source::Table(table) if table.database().is_same(&self.open.system))
    }

    /// What blanks a page.
    fn blankings(&self, page: &[Ready], report: &Report) -> Vec<Change> {
        match &self.source {
            Source::Table(table) if report.not_blanked.is_none() && self.is_one_database() => {
                page.iter().filter_map(|ready| table.blanking(&ready.row)).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn write(&self, drafts: Vec<Draft>, blankings: Vec<Change>) -> Result<(Vec<Imported>, u64)> {
        let work = Arc::new((drafts, blankings));
        let context = Import::context();
        let written = self.open.system.transaction(&context, move |transaction| {
            let work = Arc::clone(&work);
            Box::pin(async move {
                let mut outcomes = Vec::with_capacity(work.0.len());
                for draft in &work.0 {
                    outcomes.push(draft.write(transaction).await?);
                }
                let blanked = apply(transaction, &work.1).await?;
                Ok((outcomes, blanked))
            })
        });
        Ok(written.await?)
    }

    /// Blanks a page that is written, in a database of its own. Where that is refused, the old keys stay.
    async fn blank_elsewhere(&self, page: &[Ready], report: &mut Report) {
        let Source::Table(table) = &self.source else { return };
        if report.not_blanked.is_some() || self.is_one_database() {
            return;
        }
        let changes: Arc<[Change]> = page.iter().filter_map(|ready| table.blanking(&ready.row)).collect();
        let context = Import::context();
        let blanked = table.database().transaction(&context, move |transaction| {
            let changes = Arc::clone(&changes);
            Box::pin(async move { apply(transaction, &changes).await })
        });
        match blanked.await {
            Ok(rows) => report.blanked += rows,
            Err(error) => {
                tracing::debug!(%error, "old keys were not blanked");
                report.not_blanked = Some("the database refuses to change them; blank them by hand".to_owned());
            }
        }
    }
}
