//! `insula user list`.

use clap::Args;
use identity::{UserFilter, UserSort};
use store::paging::{Page, Sort};

use super::{Output, Place, Shown, Status, Which, or_dash};
use crate::failure::{Failure, Result};

/// Users that are read at once.
const PAGE: u64 = 1_000;

#[derive(Args)]
pub(in crate::cli) struct List {
    /// Only users of this group
    #[arg(long)]
    group: Option<String>,
    /// Only users that may log in, or only those that may not
    #[arg(long)]
    status: Option<Status>,
    /// Only users with this text in name, user name or e-mail address
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// number, username, email, name or created_at; with - before it the other way round
    #[arg(long, default_value = "number", allow_hyphen_values = true)]
    sort: String,
    #[command(flatten)]
    pub(super) which: Which,
}

impl List {
    pub(super) async fn run(self, place: &Place<'_>, output: Output) -> Result<()> {
        let filter = UserFilter {
            text: self.search,
            group: self.group,
            status: self.status.map(Into::into),
            ..UserFilter::default()
        };
        let name = self.sort.trim_start_matches('-');
        let sort = UserSort::ALL.iter().find(|(word, _)| *word == name).map(|(_, sort)| *sort);
        let sort = sort.ok_or_else(|| {
            let words: Vec<_> = UserSort::ALL.iter().map(|(word, _)| *word).collect();
            Failure::Usage(format!("users are sorted by {}", words.join(", ")))
        })?;
        let mut page = Page { sort, descending: self.sort.starts_with('-'), after: None, limit: PAGE };
        let mut shown = Vec::new();
        loop {
            let found = place.identity.user_page(place.open, &filter, &page, false).await?;
            shown.extend(found.rows.into_iter().map(Shown::from));
            match found.next {
                Some(last) => page.after = Some(last),
                None => break,
            }
        }
        output.list(&shown, &["NUMBER", "USERNAME", "EMAIL", "GROUP", "POWER", "STATUS", "LAST SEEN"], |user| {
            vec![
                user.number.to_string(),
                user.username.clone(),
                or_dash(user.email.as_deref()),
                user.group.clone(),
                user.power.to_string(),
                user.status.to_owned(),
                or_dash(user.last_seen.as_deref()),
            ]
        });
        Ok(())
    }
}
