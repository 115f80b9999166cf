//! Keys of other back ends: what may be kept of them, and how it is written down.
//!
//! A good key is kept for a while, recognised by a keyed hash as any other, so that its users have time to rotate it. Of
//! the rest only the fact is kept that it has to be rotated. A secret of an outside service is no key of ours: it is
//! sealed, for the operator to read and to rotate where it was made.

use std::time::Duration;

use kernel::{Error, Group, KeyKind, Reason, Result, Secret, WriteContext, ability, seal::Place, time::Timestamp};
use store::{Ddl, OpenTenant, Transaction};
use uuid::Uuid;

use super::{enter, format, making::after};
use crate::{
    Identity, User,
    tables::{
        api_keys::{self, Fresh},
        groups,
        imported_secrets::{self, IMPORTED_SECRETS, SecretRow},
        users::{self, Lookup},
    },
};

/// How long a kept key can be used.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);
const LONGEST_NAME: usize = 100;
const LONGEST_SOURCE: usize = 255;
const SECRET_PURPOSE: &str = "imported secret";

/// What keys of another back end become.
#[derive(Debug, Clone)]
pub struct ImportAs {
    /// Personal or server keys.
    pub kind: KeyKind,
    /// The group that server keys act as; their owners' where absent.
    pub group: Option<String>,
    /// The names of the abilities that they may use, as far as their owners have them.
    pub scopes: Vec<String>,
}

/// A key of another back end.
#[derive(Debug, Clone)]
pub struct ForeignKey<'a> {
    /// Its text, or what is left of it.
    pub text: &'a Secret,
    /// Whose it is.
    pub owner: &'a User,
    /// What to call it.
    pub name: &'a str,
    /// Where it came from.
    pub imported_from: &'a str,
    /// Whether it is strong enough, and known in the clear.
    pub is_good: bool,
}

/// What became of something that was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It can be used for 30 days.
    Kept,
    /// It may not be used: its owner has to make another.
    RotationDue,
    /// It is a secret of an outside service, and sealed.
    Sealed,
    /// It was imported before.
    Known,
}

/// Something to be imported, ready to be written in a transaction on the tenant's system database.
#[derive(Clone)]
pub struct Draft {
    what: What,
    ddl: Ddl,
}

#[derive(Clone)]
enum What {
    Key(Box<Fresh>),
    Secret(SecretRow),
}

/// An import into a tenant.
pub struct Import<'a> {
    open: &'a OpenTenant,
    kind: KeyKind,
    group: Option<Group>,
    scopes: Vec<String>,
    now: Timestamp,
}

/// A secret of an outside service that was imported.
#[derive(Debug, Clone)]
pub struct ImportedSecret {
    /// The id.
    pub id: Uuid,
    /// The service, as far as the secret's form tells.
    pub provider: String,
    /// Where it came from.
    pub imported_from: String,
    /// When it was imported.
    pub created_at: Timestamp,
}

impl Identity {
    /// Begins an import. Errors: 400 `field_invalid` for an unknown scope or group.
    pub async fn import<'a>(&self, open: &'a OpenTenant, rules: ImportAs) -> Result<Import<'a>> {
        let invalid = |field: &str, message: String| Error::new(Reason::FieldInvalid, message).at(field);
        let ImportAs { kind, group, scopes } = rules;
        if let Some(unknown) = scopes.iter().find(|scope| ability::by_name(scope).is_none()) {
            return Err(invalid("scopes", format!("There is no scope {unknown:?}")));
        }
        let group = match group {
            None => None,
            Some(_) if kind != KeyKind::Server => {
                return Err(invalid("group", "Only a server key acts as a group of its own".to_owned()));
            }
            Some(name) => {
                let missing = || invalid("group", format!("There is no group {name:?}"));
                Some(groups::find(&open.system, &name).await?.ok_or_else(missing)?)
            }
        };
        Ok(Import { open, kind, group, scopes, now: kernel::time::now() })
    }

    /// The user whom another back end means: by id, number, name or e-mail address.
    pub async fn find_owner(&self, open: &OpenTenant, text: &str) -> Result<Option<User>> {
        let lookup = match (text.parse(), text.parse()) {
            (Ok(id), _) => Lookup::Id(id),
            (_, Ok(number)) => Lookup::Number(number),
            _ => crate::users::lookup(text),
        };
        Ok(users::find(&open.system, &lookup).await?.map(|stored| stored.user))
    }

    /// Secrets of outside services that were imported.
    pub async fn imported_secrets(&self, open: &OpenTenant) -> Result<Vec<ImportedSecret>> {
        let shown = |row: SecretRow| ImportedSecret {
            id: row.id,
            provider: row.provider,
            imported_from: row.imported_from,
            created_at: row.created_at,
        };
        Ok(imported_secrets::list(&open.system).await?.into_iter().map(shown).collect())
    }

    /// Opens an imported secret. Errors: 404.
    pub async fn reveal_imported_secret(&self, open: &OpenTenant, id: Uuid) -> Result<Secret> {
        let row = imported_secrets::find(&open.system, id).await?.ok_or_else(no_secret)?;
        let clear = open.key.open(place(open, &id.to_string()), &row.value)?;
        let text = String::from_utf8(clear).map_err(Error::internal)?;
        tracing::info!(
            target: "audit", action = "imported-secret-reveal", outcome = "ok", tenant = open.tenant.name,
            secret = %id, provider = row.provider,
        );
        Ok(Secret::new(text))
    }

    /// Removes an imported secret. Errors: 404.
    pub async fn remove_imported_secret(&self, open: &OpenTenant, id: Uuid) -> Result<()> {
        if !imported_secrets::remove(&open.system, id).await? {
            return Err(no_secret());
        }
        tracing::info!(
            target: "audit", action = "imported-secret-remove", outcome = "ok", tenant = open.tenant.name, secret = %id,
        );
        Ok(())
    }
}

impl Import<'_> {
    /// A key to be written.
    pub fn key(&self, foreign: &ForeignKey<'_>) -> Draft {
        let ForeignKey { text, owner, name, imported_from, is_good } = *foreign;
        let group = match self.kind {
            KeyKind::Server => Some(self.group.as_ref().unwrap_or(&owner.group)),
            KeyKind::Personal | KeyKind::Publishable => None,
        };
        let has = |scope: &String| ability::by_name(scope).is_some_and(|ability| owner.group.has(ability));
        let scopes: Vec<_> = self.scopes.iter().filter(|scope| has(scope)).cloned().collect();
        let mighty = group.is_some_and(|group| group.power > owner.group.power);
        let kept = is_good && enter::may_be_foreign(text.expose()) && !mighty && !scopes.is_empty();
        let fresh = Fresh {
            id: format::new_id(self.open.tenant.id),
            kind: self.kind,
            name: shortened(name, LONGEST_NAME),
            prefix: "imported".to_owned(),
            // A part of what is weak already would make it weaker.
            last_four: if is_good { format::last_four(text.expose()) } else { String::new() },
            mac: enter::mac(self.open, text.expose()),
            owner: owner.id,
            group: group.map(|group| group.id),
            scopes,
            addresses: Vec::new(),
            origins: Vec::new(),
            rate_class: None,
            created_at: self.now,
            expires_at: Some(after(self.now, KEPT_FOR)),
            revoked_at: (!kept).then_some(self.now),
            rotated_from: None,
            imported_from: Some(shortened(imported_from, LONGEST_SOURCE)),
        };
        Draft { what: What::Key(Box::new(fresh)), ddl: self.open.system.ddl() }
    }

    /// A secret of an outside service to be written.
    pub fn secret(&self, provider: &str, text: &Secret, imported_from: &str) -> Result<Draft> {
        let id = Uuid::now_v7();
        let secret = SecretRow {
            id,
            provider: provider.to_owned(),
            imported_from: shortened(imported_from, LONGEST_SOURCE),
            mac: crate::tokens::hex(&self.open.key.mac(SECRET_PURPOSE, &[text.expose().as_bytes()])),
            value: self.open.key.seal(place(self.open, &id.to_string()), text.expose().as_bytes())?,
            created_at: self.now,
        };
        Ok(Draft { what: What::Secret(secret), ddl: self.open.system.ddl() })
    }

    /// What recognises a text of a file that gives its keys no ids; the text cannot be guessed from it.
    pub fn label(&self, text: &Secret) -> String {
        enter::mac(self.open, text.expose()).chars().take(16).collect()
    }

    /// What would become of drafts if they were written now.
    pub async fn foresee(&self, drafts: &[Draft]) -> Result<Vec<Imported>> {
        let keys = drafts.iter().filter_map(|draft| match &draft.what {
            What::Key(fresh) => Some(fresh.mac.clone()),
            What::Secret(_) => None,
        });
        let mut known = api_keys::known(&self.open.system, &keys.collect::<Vec<_>>()).await?;
        known.extend(imported_secrets::list(&self.open.system).await?.into_iter().map(|secret| secret.mac));
        let mut known: std::collections::HashSet<_> = known.into_iter().collect();
        let foreseen = |draft: &Draft| {
            if known.insert(draft.mac().clone()) { draft.outcome() } else { Imported::Known }
        };
        Ok(drafts.iter().map(foreseen).collect())
    }

    /// The context of the transactions in which drafts are written.
    pub const fn context() -> WriteContext {
        WriteContext { cause: kernel::Cause::Import, ..WriteContext::system() }
    }
}

impl Draft {
    /// Writes it down, unless that was done before.
    pub async fn write(&self, transaction: &mut Transaction<'_>) -> store::Result<Imported> {
        match &self.what {
            What::Key(fresh) => {
                if api_keys::is_known(transaction, &self.ddl, &fresh.mac).await? {
                    return Ok(Imported::Known);
                }
                api_keys::add(transaction, &self.ddl, Fresh::clone(fresh)).await?;
            }
            What::Secret(secret) => {
                if imported_secrets::is_known(transaction, &self.ddl, &secret.mac).await? {
                    return Ok(Imported::Known);
                }
                imported_secrets::add(transaction, &self.ddl, secret.clone()).await?;
            }
        }
        Ok(self.outcome())
    }

    fn outcome(&self) -> Imported {
        match &self.what {
            What::Key(fresh) if fresh.revoked_at.is_none() => Imported::Kept,
            What::Key(_) => Imported::RotationDue,
            What::Secret(_) => Imported::Sealed,
        }
    }

    fn mac(&self) -> &String {
        match &self.what {
            What::Key(fresh) => &fresh.mac,
            What::Secret(secret) => &secret.mac,
        }
    }
}

fn place<'a>(open: &OpenTenant, row: &'a str) -> Place<'a> {
    Place { tenant: open.tenant.id, table: IMPORTED_SECRETS, row, column: "value" }
}

fn no_secret() -> Error {
    Error::new(Reason::NotFound, "There is no such secret")
}

/// The beginning of a text, without what no name may have.
fn shortened(text: &str, most: usize) -> String {
    let plain = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let name: String = plain.take(most).collect();
    name.trim().to_owned()
}
