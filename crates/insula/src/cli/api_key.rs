//! `insula key create`, `list`, `show`, `rotate`, `revoke`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use identity::{Identity, Key, Lifetime, MadeKey, NewKey, User};
use kernel::{KeyKind, Span, time};
use serde::Serialize;
use store::OpenTenant;

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result},
};

/// Keys and users that are read at once.
const PAGE: u64 = 1_000;

/// Make, list, rotate and revoke API keys.
#[derive(Subcommand)]
pub(super) enum ApiKey {
    /// Make an API key and print it once
    #[command(after_help = "Examples:\n  insula key create --kind sk --name CI --scope data.read --group users\n  \
        insula key create --kind pat --name laptop --user uma --scope data.read --scope data.insert --expires 30d\n  \
        insula key create --kind pk --name website --scope data.read --origin https://example.com")]
    Create(Create),
    /// List API keys, the newest first
    #[command(after_help = "Examples:\n  insula key list\n  insula key list --user uma --json")]
    List(List),
    /// Show an API key, without the key itself
    #[command(after_help = "Example:\n  insula key show 02VmcYkOWVwVCRiIMnHSTMhGrWvoZT0Wz")]
    Show(Named),
    /// Put a new key in the place of one, which lives on for a while
    #[command(after_help = "Example:\n  insula key rotate 02VmcYkOWVwVCRiIMnHSTMhGrWvoZT0Wz --overlap 7d")]
    Rotate(Rotate),
    /// Revoke an API key at once
    #[command(after_help = "Example:\n  insula key revoke 02VmcYkOWVwVCRiIMnHSTMhGrWvoZT0Wz")]
    Revoke(Named),
}

/// The kinds of API keys.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// Publishable: for web pages; acts as the group `anonymous`
    Pk,
    /// For a server: acts as a group
    Sk,
    /// Personal: acts as its user
    Pat,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Pk => Self::Publishable,
            Kind::Sk => Self::Server,
            Kind::Pat => Self::Personal,
        }
    }
}

#[derive(Args)]
pub(super) struct Create {
    /// What kind of key
    #[arg(long)]
    kind: Kind,
    /// What to call it
    #[arg(long)]
    name: String,
    /// An ability that it may use; may be repeated
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// Whose it is, by name or e-mail address: its rights end with this user's [default: the first administrator]
    #[arg(long)]
    user: Option<String>,
    /// The group that a server key acts as [default: that of its user]
    #[arg(long)]
    group: Option<String>,
    /// How long it lives, or `never` where the settings allow that
    #[arg(long, default_value = "90d", value_parser = lifetime)]
    expires: Lifetime,
    /// An address or CIDR block from which it may be used; may be repeated
    #[arg(long = "address", value_name = "CIDR")]
    addresses: Vec<String>,
    /// An origin of web pages that may use it; may be repeated
    #[arg(long = "origin")]
    origins: Vec<String>,
    /// One of the tenant's rate classes
    #[arg(long)]
    rate_class: Option<String>,
    #[command(flatten)]
    which: Which,
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    match text {
        "never" => Ok(Lifetime::Unending),
        span => span.parse().map(Lifetime::For),
    }
}

#[derive(Args)]
pub(super) struct List {
    /// Only those of a user, by name or e-mail address
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Named {
    /// The key's id
    id: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    named: Named,
    /// How long the old one lives on, at most 30d
    #[arg(long, default_value = "24h")]
    overlap: Span,
}

/// A key as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    kind: &'static str,
    name: String,
    state: &'static str,
    prefix: String,
    last_four: String,
    user: String,
    group: Option<String>,
    scopes: Vec<String>,
    addresses: Vec<String>,
    origins: Vec<String>,
    rate_class: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    rotated_from: Option<String>,
    imported_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<Key> for Shown {
    fn from(key: Key) -> Self {
        let moment = |moment: Option<time::Timestamp>| moment.map(time::rfc3339);
        Self {
            state: key.state(time::now()).word(),
            kind: key.kind.word(),
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            last_four: key.last_four,
            user: key.owner_name,
            group: key.group,
            scopes: key.scopes,
            addresses: key.addresses.iter().map(ToString::to_string).collect(),
            origins: key.origins,
            rate_class: key.rate_class,
            created_at: time::rfc3339(key.created_at),
            expires_at: moment(key.expires_at),
            last_used_at: moment(key.last_used_at),
            revoked_at: moment(key.revoked_at),
            rotated_from: key.rotated_from,
            imported_from: key.imported_from,
            secret: None,
        }
    }
}

impl From<MadeKey> for Shown {
    fn from(made: MadeKey) -> Self {
        Self { secret: Some(made.secret.expose().to_owned()), ..made.key.into() }
    }
}

impl Shown {
    fn describe(&self) -> String {
        let mut text = match &self.group {
            Some(group) => format!("{} ({}, {}) acts as the group {group}.", self.name, self.kind, self.state),
            None => format!("{} ({}, {}) acts as {}.", self.name, self.kind, self.state, self.user),
        };
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(text, "\n{name:<13} {value}");
            }
        };
        line("id", &self.id);
        line("begins, ends", &format!("{}…{}", self.prefix, self.last_four));
        line("user", &self.user);
        line("scopes", &self.scopes.join(" "));
        line("addresses", &self.addresses.join(" "));
        line("origins", &self.origins.join(" "));
        line("rate class", self.rate_class.as_deref().unwrap_or_default());
        line("created", &self.created_at);
        line("expires", self.expires_at.as_deref().unwrap_or("never"));
        line("last used", self.last_used_at.as_deref().unwrap_or("never"));
        line("revoked", self.revoked_at.as_deref().unwrap_or_default());
        line("rotated from", self.rotated_from.as_deref().unwrap_or_default());
        line("imported from", self.imported_from.as_deref().unwrap_or_default());
        if let Some(secret) = &self.secret {
            let _ = write!(text, "\n\n{secret}\nThis is the key. It is shown once.");
        }
        text
    }
}

impl ApiKey {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let which = match &self {
            Self::Create(create) => &create.which,
            Self::List(list) => &list.which,
            Self::Rotate(Rotate { named, .. }) | Self::Show(named) | Self::Revoke(named) => &named.which,
        };
        let (_, open) = installation.open_tenant(which.tenant.as_deref()).await?;
        let identity = &*installation.features.identity;
        let shown: Shown = match self {
            Self::List(list) => return list.run(identity, &open, output).await,
            Self::Create(create) => create.run(identity, &open).await?.into(),
            Self::Show(Named { id, .. }) => identity.key(&open, &id).await?.into(),
            Self::Rotate(Rotate { named, overlap }) => identity.rotate_key(&open, &named.id, overlap).await?.into(),
            Self::Revoke(Named { id, .. }) => {
                identity.revoke_key(&open, &id).await?;
                identity.key(&open, &id).await?.into()
            }
        };
        output.print(&shown, || shown.describe());
        Ok(())
    }
}

impl Create {
    async fn run(self, identity: &Identity, open: &OpenTenant) -> Result<MadeKey> {
        let owner = match &self.user {
            Some(name) => user(identity, open, name).await?,
            None => identity.most_powerful_user(open).await?.ok_or_else(|| {
                Failure::Usage("the tenant has no active user; make one first: insula user create".to_owned())
            })?,
        };
        let new = NewKey {
            kind: self.kind.into(),
            name: self.name,
            scopes: self.scopes,
            group: self.group,
            addresses: Some(self.addresses),
            origins: Some(self.origins),
            rate_class: self.rate_class,
            lifetime: self.expires,
        };
        Ok(identity.create_key(open, &owner, new).await?)
    }
}

impl List {
    async fn run(self, identity: &Identity, open: &OpenTenant, output: Output) -> Result<()> {
        let owner = match &self.user {
            Some(name) => Some(user(identity, open, name).await?.id),
            None => None,
        };
        let mut shown: Vec<Shown> = Vec::new();
        loop {
            let page = identity.keys(open, owner, PAGE, shown.len() as u64).await?;
            let full = page.len() as u64 == PAGE;
            shown.extend(page.into_iter().map(Shown::from));
            if !full {
                break;
            }
        }
        output.list(&shown, &["ID", "KIND", "NAME", "USER", "STATE", "EXPIRES", "LAST USED"], |key| {
            vec![
                key.id.clone(),
                key.kind.to_owned(),
                key.name.clone(),
                key.user.clone(),
                key.state.to_owned(),
                or_dash(key.expires_at.as_deref()),
                or_dash(key.last_used_at.as_deref()),
            ]
        });
        Ok(())
    }
}

/// A user by name or e-mail address.
pub(super) async fn user(identity: &Identity, open: &OpenTenant, name: &str) -> Result<User> {
    let found = identity.find_user(open, name).await?;
    found.ok_or_else(|| Failure::Missing(format!("there is no user {name:?}")))
}
