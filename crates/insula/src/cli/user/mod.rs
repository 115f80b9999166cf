//! `insula user …`.

mod change;
mod import;
mod list;
mod secret_source;

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use identity::{Actor, Identity, NewUser, UserChange, UserRecord, UserStatus};
use kernel::{ToolkitOverride, time};
use serde::Serialize;
use store::OpenTenant;

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result},
    password::PasswordSource,
};

/// Make, list, change and remove the users of a tenant.
#[derive(Subcommand)]
pub(super) enum User {
    /// Make a user
    #[command(after_help = "Examples:\n  insula user create uma --group users --email uma@example.com\n  \
        insula user create uma --password-stdin < secret")]
    Create(Create),
    /// List users by number
    #[command(after_help = "Examples:\n  insula user list --tenant shop\n  \
        insula user list --group moderators --status active --sort -created_at")]
    List(list::List),
    /// Show one user
    #[command(after_help = "Example:\n  insula user show uma --json")]
    Show(Named),
    /// Change a user
    #[command(after_help = "Examples:\n  insula user set uma --email uma@example.com --email-verified true\n  \
        insula user set uma --name 'Uma Doe' --group moderators\n  \
        insula user set uma --toolkit lending:staff")]
    Set(Box<change::Set>),
    /// Move a user to another group
    #[command(after_help = "Example:\n  insula user set-group uma moderators")]
    SetGroup(change::SetGroup),
    /// Give a user another password and end the user's sessions
    #[command(after_help = "Example:\n  insula user set-password uma --password-stdin < secret")]
    SetPassword(change::SetPassword),
    /// Give a user a PIN for the networks of `whitelisted_pin_ips`, or take it away
    #[command(after_help = "Examples:\n  insula user set-pin uma --stdin < pin\n  insula user set-pin uma --none")]
    SetPin(change::SetSecret),
    /// Tell the text of a user's card or badge, for the networks of `whitelisted_string_ips`, or that there is none
    #[command(after_help = "Examples:\n  insula user set-card uma --stdin < card\n  insula user set-card uma --none")]
    SetCard(change::SetSecret),
    /// End a user's sessions and let nobody log in
    #[command(after_help = "Example:\n  insula user suspend uma")]
    Suspend(Named),
    /// Let a suspended user log in again
    #[command(after_help = "Example:\n  insula user resume uma")]
    Resume(Named),
    /// List where a user is logged in, the newest first
    #[command(after_help = "Example:\n  insula user sessions uma")]
    Sessions(Named),
    /// End all sessions of a user
    #[command(after_help = "Example:\n  insula user logout uma")]
    Logout(Named),
    /// Remove the second factor of a user who has lost it
    #[command(after_help = "Example:\n  insula user reset-second-factor uma")]
    ResetSecondFactor(Named),
    /// Remove a user with sessions, keys and all that is the user's
    #[command(after_help = "Example:\n  insula user delete uma --yes")]
    Delete(change::Delete),
    /// Move in the users of another program
    #[command(after_help = "Examples:\n  insula user import users.csv --dry-run\n  \
        insula user import users.jsonl --group users")]
    Import(import::Import),
}

#[derive(Args)]
pub(super) struct Create {
    /// The name to log in with
    username: String,
    /// The e-mail address
    #[arg(long)]
    email: Option<String>,
    /// The e-mail address counts as the user's own
    #[arg(long, requires = "email")]
    email_verified: bool,
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
pub(super) struct Named {
    /// The user's name or e-mail address
    user: String,
    #[command(flatten)]
    which: Which,
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Active,
    Suspended,
}

impl From<Status> for UserStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

/// A user as it is shown.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Shown {
    id: String,
    number: i64,
    username: String,
    email: Option<String>,
    email_verified_at: Option<String>,
    name: String,
    group: String,
    power: u8,
    status: &'static str,
    has_password: bool,
    has_pin: bool,
    has_card: bool,
    second_factor: bool,
    created_at: String,
    last_seen: Option<String>,
    toolkit_overrides: Vec<ToolkitOverride>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl From<UserRecord> for Shown {
    fn from(record: UserRecord) -> Self {
        let user = record.user;
        Self {
            id: user.id.to_string(),
            number: user.number,
            username: user.username,
            email: user.email,
            email_verified_at: user.email_verified_at.map(time::rfc3339),
            name: user.name,
            group: user.group.name.clone(),
            power: user.group.power,
            status: user.status.word(),
            has_password: record.has_password,
            has_pin: record.has_pin,
            has_card: record.has_card,
            second_factor: record.second_factor,
            created_at: time::rfc3339(user.created_at),
            last_seen: record.last_seen.map(time::rfc3339),
            toolkit_overrides: user.toolkit_overrides.to_vec(),
            password: None,
        }
    }
}

/// Where users are changed.
struct Place<'a> {
    identity: &'a Identity,
    open: &'a OpenTenant,
}

impl Place<'_> {
    async fn find(&self, name: &str) -> Result<identity::User> {
        let found = self.identity.find_user(self.open, name).await?;
        found.ok_or_else(|| Failure::Missing(format!("there is no user {name:?}")))
    }

    async fn show(&self, id: uuid::Uuid) -> Result<Shown> {
        Ok(self.identity.user(self.open, id).await?.into())
    }

    /// Changes a user and shows what came of it.
    async fn change(&self, name: &str, change: UserChange) -> Result<Shown> {
        let id = self.find(name).await?.id;
        self.identity.change_user(self.open, &Actor::operator(), id, change).await?;
        self.show(id).await
    }
}

impl User {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which().tenant.as_deref()).await?;
        let place = Place { identity: &installation.features.identity, open: &open };
        let shown = match self {
            Self::List(list) => return list.run(&place, output).await,
            Self::Import(import) => return import.run(&place, output).await,
            Self::Delete(delete) => return delete.run(&place, output).await,
            Self::Sessions(named) => return list::sessions(&named, &place, output).await,
            Self::Logout(named) => return change::log_out(&named, &place, output).await,
            Self::Create(create) => create.run(&place).await?,
            Self::Show(named) => place.show(place.find(&named.user).await?.id).await?,
            Self::Set(set) => set.run(&place).await?,
            Self::SetGroup(command) => command.run(&place).await?,
            Self::SetPassword(command) => command.run(&place).await?,
            Self::SetPin(command) => command.set_pin(&place).await?,
            Self::SetCard(command) => command.set_card(&place).await?,
            Self::Suspend(named) => change::set_status(&named, UserStatus::Suspended, &place).await?,
            Self::Resume(named) => change::set_status(&named, UserStatus::Active, &place).await?,
            Self::ResetSecondFactor(named) => {
                place.change(&named.user, UserChange { reset_second_factor: true, ..UserChange::default() }).await?
            }
        };
        output.print(&shown, || shown.describe());
        Ok(())
    }

    fn which(&self) -> &Which {
        match self {
            Self::Create(create) => &create.which,
            Self::List(list) => &list.which,
            Self::Import(import) => &import.which,
            Self::Set(set) => &set.named.which,
            Self::SetGroup(command) => &command.named.which,
            Self::SetPassword(command) => &command.named.which,
            Self::SetPin(command) | Self::SetCard(command) => &command.named.which,
            Self::Delete(delete) => &delete.named.which,
            Self::Show(named)
            | Self::Suspend(named)
            | Self::Resume(named)
            | Self::Sessions(named)
            | Self::Logout(named)
            | Self::ResetSecondFactor(named) => &named.which,
        }
    }
}

impl Shown {
    fn describe(&self) -> String {
        let mut text = format!(
            "{} (number {}) is {} in the group {} with power {}.",
            self.username, self.number, self.status, self.group, self.power
        );
        let verified = if self.email_verified_at.is_some() { "confirmed" } else { "not confirmed" };
        if let Some(email) = &self.email {
            let _ = write!(text, "\nE-mail address: {email} ({verified})");
        }
        let ways = [
            (self.has_password, "a password"),
            (self.has_pin, "a PIN"),
            (self.has_card, "a card"),
            (self.second_factor, "a second factor"),
        ];
        let ways: Vec<_> = ways.into_iter().filter_map(|(has, way)| has.then_some(way)).collect();
        let _ = write!(
            text,
            "\nHas {}. ",
            if ways.is_empty() { "nothing to log in with".to_owned() } else { ways.join(", ") }
        );
        if !self.toolkit_overrides.is_empty() {
            let own: Vec<_> =
                self.toolkit_overrides.iter().map(|own| format!("{}:{}", own.toolkit, own.group)).collect();
            let _ = write!(text, "Own places in toolkits: {}. ", own.join(", "));
        }
        let _ = write!(text, "Last seen: {}", or_dash(self.last_seen.as_deref()));
        if let Some(password) = &self.password {
            let _ = write!(text, "\nPassword: {password} (shown once)");
        }
        text
    }
}

impl Create {
    async fn run(self, place: &Place<'_>) -> Result<Shown> {
        let password = self.password.get()?;
        let new = NewUser {
            username: self.username,
            email: self.email,
            name: self.name,
            password: Some(password.secret.clone()),
            group: self.group,
            ..NewUser::default()
        };
        let more = UserChange { email_verified: self.email_verified.then_some(true), ..UserChange::default() };
        let user = place.identity.add_user(place.open, &Actor::operator(), new, more).await?;
        Ok(Shown { password: password.to_show().map(str::to_owned), ..place.show(user.id).await? })
    }
}
