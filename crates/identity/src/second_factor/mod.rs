//! The second factor of a log in: time-based codes (RFC 6238) and recovery codes.
//!
//! It is begun with a secret, put in force with a first code, and from then on every way in leads to a [`ticket`]
//! that is worth a session only together with a code.

mod codes;
mod entering;
mod managing;
mod ticket;

use kernel::{
    Error, Reason, Result, Secret, TenantId,
    seal::{Place, SealingKey},
};
use store::{Ddl, OpenTenant, Transaction};
use uuid::Uuid;

pub(crate) use self::{entering::required, managing::require, ticket::Tries};
use crate::tables::second_factors::{self, FACTORS, Factor};

/// What proves that somebody has the second factor.
#[derive(Clone)]
pub(crate) enum Proof {
    /// The code of the moment.
    Code(Secret),
    /// One of the codes for when the device is lost.
    RecoveryCode(Secret),
}

impl Proof {
    /// Errors: 400 `field_missing`, `field_invalid` unless it is one of the two.
    pub(crate) fn of(code: Option<Secret>, recovery_code: Option<Secret>) -> Result<Self> {
        let missing = || Error::new(Reason::FieldMissing, "This field is required").at("code");
        Self::maybe(code, recovery_code)?.ok_or_else(missing)
    }

    /// None where neither was sent. Errors: 400 `field_invalid` where both were.
    pub(crate) fn maybe(code: Option<Secret>, recovery_code: Option<Secret>) -> Result<Option<Self>> {
        match (code, recovery_code) {
            (Some(code), None) => Ok(Some(Self::Code(code))),
            (None, Some(code)) => Ok(Some(Self::RecoveryCode(code))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                let message = "Send either a code or a recovery code, not both";
                Err(Error::new(Reason::FieldInvalid, message).at("recovery_code"))
            }
        }
    }

    /// The word for it in the audit log.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Code(_) => "code",
            Self::RecoveryCode(_) => "recovery_code",
        }
    }
}

/// Whose second factor it is, and the key to it.
#[derive(Clone)]
pub(crate) struct Owner {
    key: SealingKey,
    tenant: TenantId,
    user: Uuid,
}

impl Owner {
    pub(crate) fn new(open: &OpenTenant, user: Uuid) -> Self {
        Self { key: open.key.clone(), tenant: open.tenant.id, user }
    }

    fn seal(&self, secret: &[u8]) -> Result<String> {
        self.at_place(|place| self.key.seal(place, secret))
    }

    fn open(&self, sealed: &str) -> Result<Vec<u8>> {
        self.at_place(|place| self.key.open(place, sealed))
    }

    fn at_place<T>(&self, work: impl FnOnce(Place<'_>) -> T) -> T {
        let row = self.user.to_string();
        work(Place { tenant: self.tenant, table: FACTORS, row: &row, column: "secret" })
    }

    /// Whether a proof is good. What is good is taken for good: it proves nothing again. The user's row is locked.
    async fn take(
        &self,
        transaction: &mut Transaction<'_>,
        ddl: &Ddl,
        factor: &Factor,
        proof: &Proof,
    ) -> store::Result<bool> {
        match proof {
            Proof::Code(code) => {
                let now = kernel::time::now().as_second() as u64;
                match codes::step(self.open(&factor.secret)?, code, now)? {
                    Some(step) => second_factors::take_step(transaction, ddl, self.user, step).await,
                    None => Ok(false),
                }
            }
            Proof::RecoveryCode(code) => {
                let hash = codes::hash(&self.key, self.user, code);
                second_factors::take_code(transaction, ddl, self.user, &hash).await
            }
        }
    }
}

fn code_invalid() -> Error {
    Error::plain(Reason::CodeInvalid)
}

#[cfg(test)]
mod tests;
