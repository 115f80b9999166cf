//! What changes of a single user.

use std::io::{IsTerminal, Write};

use clap::Args;
use identity::{Actor, Field, UserChange, UserStatus};
use kernel::ToolkitOverride;

use super::{Named, Output, Place, Shown, Status, secret_source::SecretSource};
use crate::{
    failure::{Failure, Result, io},
    password::PasswordSource,
};

#[derive(Args)]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    pub(super) named: Named,
    /// The name to log in with
    #[arg(long)]
    username: Option<String>,
    /// The e-mail address; another one is unconfirmed
    #[arg(long)]
    email: Option<String>,
    /// There is no e-mail address any more
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
    /// Whether the e-mail address counts as the user's own
    #[arg(long, value_name = "BOOL")]
    email_verified: Option<bool>,
    /// The name to show
    #[arg(long)]
    name: Option<String>,
    /// The group
    #[arg(long)]
    group: Option<String>,
    /// Whether the user may log in; suspension ends all sessions
    #[arg(long)]
    status: Option<Status>,
    /// A place in a toolkit that the user has whatever the group has, in place of those before; may be repeated
    #[arg(long, value_name = "TOOLKIT:GROUP")]
    toolkit: Vec<String>,
    /// The user has no place in toolkits but that of the group
    #[arg(long, conflicts_with = "toolkit")]
    no_toolkits: bool,
}

impl Set {
    pub(super) async fn run(self, place: &Place<'_>) -> Result<Shown> {
        let places = self.toolkit.iter().map(|text| place_in_toolkit(text)).collect::<Result<Vec<_>>>()?;
        let email = if self.no_email { Field::Cleared } else { self.email.map_or(Field::Kept, Field::Set) };
        let change = UserChange {
            username: self.username,
            email,
            name: self.name,
            group: self.group,
            status: self.status.map(Into::into),
            email_verified: self.email_verified,
            toolkit_overrides: (self.no_toolkits || !places.is_empty()).then_some(places),
            ..UserChange::default()
        };
        place.change(&self.named.user, change).await
    }
}

fn place_in_toolkit(text: &str) -> Result<ToolkitOverride> {
    let parts = text.split_once(':').filter(|(toolkit, group)| !toolkit.is_empty() && !group.is_empty());
    let wrong = || Failure::Usage(format!("{text:?} is no place in a toolkit; write TOOLKIT:GROUP"));
    let (toolkit, group) = parts.ok_or_else(wrong)?;
    Ok(ToolkitOverride { toolkit: toolkit.to_owned(), group: group.to_owned() })
}

#[derive(Args)]
pub(in crate::cli) struct SetGroup {
    #[command(flatten)]
    pub(super) named: Named,
    /// The group
    group: String,
}

impl SetGroup {
    pub(super) async fn run(self, place: &Place<'_>) -> Result<Shown> {
        place.change(&self.named.user, UserChange { group: Some(self.group), ..UserChange::default() }).await
    }
}

#[derive(Args)]
pub(in crate::cli) struct SetPassword {
    #[command(flatten)]
    pub(super) named: Named,
    #[command(flatten)]
    password: PasswordSource,
}

impl SetPassword {
    pub(super) async fn run(self, place: &Place<'_>) -> Result<Shown> {
        place.find(&self.named.user).await?;
        let password = self.password.get()?;
        let change = UserChange { password: Some(password.secret.clone()), ..UserChange::default() };
        let shown = place.change(&self.named.user, change).await?;
        Ok(Shown { password: password.to_show().map(str::to_owned), ..shown })
    }
}

#[derive(Args)]
pub(in crate::cli) struct SetSecret {
    #[command(flatten)]
    pub(super) named: Named,
    #[command(flatten)]
    secret: SecretSource,
}

impl SetSecret {
    pub(super) async fn set_pin(self, place: &Place<'_>) -> Result<Shown> {
        let change = UserChange { pin: self.secret.get()?.into(), ..UserChange::default() };
        place.change(&self.named.user, change).await
    }

    pub(super) async fn set_card(self, place: &Place<'_>) -> Result<Shown> {
        let change = UserChange { login_string: self.secret.get()?.into(), ..UserChange::default() };
        place.change(&self.named.user, change).await
    }
}

#[derive(Args)]
pub(in crate::cli) struct Delete {
    #[command(flatten)]
    pub(super) named: Named,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Delete {
    pub(super) async fn run(self, place: &Place<'_>, output: Output) -> Result<()> {
        let user = place.find(&self.named.user).await?;
        if !self.yes {
            confirm(&user.username)?;
        }
        place.identity.remove_user(place.open, &Actor::operator(), user.id).await?;
        let gone = serde_json::json!({ "deleted": user.username, "number": user.number });
        output.print(&gone, || format!("User {} is gone.", user.username));
        Ok(())
    }
}

fn confirm(name: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("nobody can be asked here; add --yes to delete the user for ever".to_owned()));
    }
    eprint!("This deletes the user {name} with all that is theirs, for ever. Type the name to go on: ");
    std::io::stderr().flush().map_err(io("standard error"))?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(io("standard input"))?;
    if typed.trim() == name { Ok(()) } else { Err(Failure::Usage("nobody was deleted".to_owned())) }
}

pub(super) async fn set_status(named: &Named, status: UserStatus, place: &Place<'_>) -> Result<Shown> {
    place.change(&named.user, UserChange { status: Some(status), ..UserChange::default() }).await
}

pub(super) async fn log_out(named: &Named, place: &Place<'_>, output: Output) -> Result<()> {
    let user = place.find(&named.user).await?;
    let ended = place.identity.end_sessions(place.open, &Actor::operator(), user.id).await?;
    let told = serde_json::json!({ "username": user.username, "sessions_ended": ended });
    output.print(&told, || format!("{ended} sessions of {} have ended.", user.username));
    Ok(())
}
