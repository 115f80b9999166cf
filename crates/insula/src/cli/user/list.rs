//! `insula user list`.

use clap::Args;
use identity::{UserFilter, UserSession, UserSort};
use kernel::time;
use serde::Serialize;
use store::paging::{Page, Sort};

use super::{Named, Output, Place, Shown, Status, Which, or_dash};
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
    /// number, username, email, name or `created_at`; with - before it the other way round
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

/// A session as it is shown.
#[derive(Serialize)]
struct ShownSession {
    id: String,
    method: Option<String>,
    created_at: String,
    last_accessed: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
}

impl From<UserSession> for ShownSession {
    fn from(session: UserSession) -> Self {
        Self {
            id: session.id.to_string(),
            method: session.method,
            created_at: time::rfc3339(session.created_at),
            last_accessed: time::rfc3339(session.last_accessed),
            expires_at: time::rfc3339(session.expires_at),
            ip: session.ip,
            user_agent: session.user_agent,
        }
    }
}

pub(super) async fn sessions(named: &Named, place: &Place<'_>, output: Output) -> Result<()> {
    let user = place.find(&named.user).await?;
    let sessions = place.identity.sessions_of(place.open, user.id).await?;
    let shown: Vec<_> = sessions.into_iter().map(ShownSession::from).collect();
    output.list(&shown, &["BEGAN", "LAST USED", "ENDS", "BY", "ADDRESS", "CLIENT"], |session| {
        vec![
            session.created_at.clone(),
            session.last_accessed.clone(),
            session.expires_at.clone(),
            or_dash(session.method.as_deref()),
            or_dash(session.ip.as_deref()),
            // A client may call itself anything; a terminal must not obey it.
            or_dash(session.user_agent.as_deref()).chars().filter(|c| !c.is_control()).take(60).collect(),
        ]
    });
    Ok(())
}
