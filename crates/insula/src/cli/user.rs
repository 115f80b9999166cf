//! `insula user …`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use identity::{Identity, NewUser, UserStatus};
use kernel::time;
use serde::Serialize;
use store::OpenTenant;

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result},
    password::PasswordSource,
};

/// Users that are read at once.
const PAGE: u32 = 1_000;

/// Make, list and change the users of a tenant.
#[derive(Subcommand)]
pub(super) enum User {
    /// Make a user
    #[command(after_help = "Example:\n  insula user create uma --group users --email uma@example.com")]
    Create(Create),
    /// List users by number
    #[command(after_help = "Example:\n  insula user list --tenant shop")]
    List(List),
    /// Move a user to another group
    #[command(after_help = "Example:\n  insula user set-group uma moderators")]
    SetGroup(SetGroup),
    /// End a user's sessions and let nobody log in
    #[command(after_help = "Example:\n  insula user suspend uma")]
    Suspend(Named),
    /// Let a suspended user log in again
    #[command(after_help = "Example:\n  insula user resume uma")]
    Resume(Named),
    /// Give a user another password and end the user's sessions
    #[command(after_help = "Example:\n  insula user set-password uma --password-stdin < secret")]
    SetPassword(SetPassword),
}

#[derive(Args)]
pub(super) struct Create {
    /// The name to log in with
    username: String,
    /// The e-mail address
    #[arg(long)]
    email: Option<String>,
    /// The name to show [default: the name to log in with]
    #[arg(long)]
    name: Option<String>,
    /// The group [default: that of whoever registers]
    #[arg(long)]
    group: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Named {
    /// The user's name or e-mail address
    user: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct SetGroup {
    #[command(flatten)]
    named: Named,
    /// The group
    group: String,
}

#[derive(Args)]
pub(super) struct SetPassword {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    password: PasswordSource,
}

/// A user as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    number: i64,
    username: String,
    email: Option<String>,
    name: String,
    group: String,
    power: u8,
    status: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl From<identity::User> for Shown {
    fn from(user: identity::User) -> Self {
        Self {
            id: user.id.to_string(),
            number: user.number,
            username: user.username,
            email: user.email,
            name: user.name,
            group: user.group.name.clone(),
            power: user.group.power,
            status: user.status.word(),
            created_at: time::rfc3339(user.created_at),
            password: None,
        }
    }
}

impl User {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let which = match &self {
            Self::Create(create) => &create.which,
            Self::List(list) => &list.which,
            Self::SetGroup(SetGroup { named, .. })
            | Self::SetPassword(SetPassword { named, .. })
            | Self::Suspend(named)
            | Self::Resume(named) => &named.which,
        };
        let (_, open) = installation.open_tenant(which.tenant.as_deref()).await?;
        let identity = &*installation.features.identity;
        let shown = match self {
            Self::List(_) => return list(identity, &open, output).await,
            Self::Create(create) => create.run(identity, &open).await?,
            Self::SetGroup(SetGroup { named, group }) => {
                let user = named.find(identity, &open).await?;
                identity.set_group(&open, user.id, &group).await?;
                named.find(identity, &open).await?.into()
            }
            Self::Suspend(named) => named.set_status(identity, &open, UserStatus::Suspended).await?,
            Self::Resume(named) => named.set_status(identity, &open, UserStatus::Active).await?,
            Self::SetPassword(SetPassword { named, password }) => {
                let (user, password) = (named.find(identity, &open).await?, password.get()?);
                identity.set_password(&open, user.id, &password.secret).await?;
                Shown { password: password.to_show().map(str::to_owned), ..user.into() }
            }
        };
        output.print(&shown, || shown.describe());
        Ok(())
    }
}

impl Shown {
    fn describe(&self) -> String {
        let mut text = format!(
            "{} (number {}) is {} in the group {} with power {}.",
            self.username, self.number, self.status, self.group, self.power
        );
        if let Some(password) = &self.password {
            let _ = write!(text, "\nPassword: {password} (shown once)");
        }
        text
    }
}

impl Create {
    async fn run(self, identity: &Identity, open: &OpenTenant) -> Result<Shown> {
        let password = self.password.get()?;
        let new = NewUser {
            username: self.username,
            email: self.email,
            name: self.name,
            password: Some(password.secret.clone()),
            group: self.group,
            ..NewUser::default()
        };
        let user = identity.create_user(open, new).await?;
        Ok(Shown { password: password.to_show().map(str::to_owned), ..user.into() })
    }
}

impl Named {
    async fn find(&self, identity: &Identity, open: &OpenTenant) -> Result<identity::User> {
        let found = identity.find_user(open, &self.user).await?;
        found.ok_or_else(|| Failure::Missing(format!("there is no user {:?}", self.user)))
    }

    async fn set_status(&self, identity: &Identity, open: &OpenTenant, status: UserStatus) -> Result<Shown> {
        let user = self.find(identity, open).await?;
        identity.set_status(open, user.id, status).await?;
        Ok(self.find(identity, open).await?.into())
    }
}

async fn list(identity: &Identity, open: &OpenTenant, output: Output) -> Result<()> {
    let (mut shown, mut after) = (Vec::new(), 0);
    loop {
        let page = identity.users(open, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        let full = page.len() == PAGE as usize;
        shown.extend(page.into_iter().map(Shown::from));
        if !full {
            break;
        }
    }
    output.list(&shown, &["NUMBER", "USERNAME", "EMAIL", "GROUP", "POWER", "STATUS"], |user| {
        vec![
            user.number.to_string(),
            user.username.clone(),
            or_dash(user.email.as_deref()),
            user.group.clone(),
            user.power.to_string(),
            user.status.to_owned(),
        ]
    });
    Ok(())
}
