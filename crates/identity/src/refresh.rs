//! A new pair of tokens for a refresh token.
//!
//! A session's row is the family: its generation counts the renewals, and only the newest generation's token renews.

use std::sync::Arc;

use kernel::{Error, HostTenant, Reason, Result, Tenant, TenantDirectory, time::Timestamp};
use store::OpenTenant;

use crate::{
    Identity, UserStatus,
    entry::{Entered, Generation, Visitor},
    refresh_token::RefreshToken,
    sessions::{GRACE, Lifetimes, after},
    tables::{
        sessions::{self, Found, Renewal},
        users::{self, Lookup},
    },
};

/// How often a session is read again that others renew at the same moment.
const ATTEMPTS: usize = 3;

/// What a genuine token means for its family.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// The newest one.
    Newest,
    /// The one before the newest, a moment after it was used: two tabs at once.
    Overtaken,
    /// Used before: this one was stolen, or the newest was.
    Used,
    /// Not given out yet: the database is older than the token.
    Unknown,
}

impl Standing {
    fn of(token: i64, newest: i64, renewed_at: Timestamp, now: Timestamp) -> Self {
        match newest.saturating_sub(token) {
            0 => Self::Newest,
            1 if now < after(renewed_at, GRACE) => Self::Overtaken,
            1.. => Self::Used,
            _ => Self::Unknown,
        }
    }
}

impl Identity {
    /// Renews a session, even one that has ended for lack of activity. The newest token of a session is renewed, the one
    /// before gets the newest pair for some seconds, and any older one ends the session.
    ///
    /// Errors: 401 `refresh_invalid`; 403 `tenant_mismatch`, `tenant_suspended`; 503.
    pub(crate) async fn refresh(&self, site: &HostTenant, visitor: &Visitor, text: &str) -> Result<Entered> {
        let token = RefreshToken::parse(text).ok_or_else(invalid)?;
        let tenant = if token.tenant == site.tenant.id {
            Arc::clone(&site.tenant)
        } else if site.explicit {
            return Err(Error::plain(Reason::TenantMismatch));
        } else {
            self.tenants.by_id(token.tenant).await?.ok_or_else(invalid)?
        };
        tenant.require_active()?;
        let open = self.tenants.open(&tenant).await?;
        if !token.is_genuine(&open.key) {
            return Err(invalid());
        }
        // Of many at once only one needs to write. Between nodes the database decides.
        let _turn = self.refreshing.enter(token.session).await;
        for _ in 0..ATTEMPTS {
            let found = sessions::find(&open.system, token.session).await?.ok_or_else(invalid)?;
            let now = kernel::time::now();
            let until = found.refresh_until.filter(|until| now < *until).ok_or_else(invalid)?;
            if found.status != UserStatus::Active {
                return Err(invalid());
            }
            match Standing::of(token.generation, found.generation, found.begun(), now) {
                Standing::Newest => {
                    if let Some(entered) = self.advance(&tenant, &open, visitor, &token, &found, now).await? {
                        return Ok(entered);
                    }
                }
                Standing::Overtaken => {
                    return self.pair(&tenant, &open, &token, &found, (found.generation, found.begun(), until)).await;
                }
                Standing::Used => {
                    self.end_family(&tenant, &open, visitor, &token, &found).await?;
                    return Err(invalid());
                }
                Standing::Unknown => return Err(invalid()),
            }
        }
        Err(Error::plain(Reason::Busy))
    }

    /// Renews the session; none where somebody else has just done so.
    async fn advance(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        visitor: &Visitor,
        token: &RefreshToken,
        found: &Found,
        now: Timestamp,
    ) -> Result<Option<Entered>> {
        let settings = self.settings.of(tenant).await?;
        let until = after(now, settings.refresh_lifetime.0);
        // Made before anything is written: what fails here leaves the old pair good.
        let entered = self.pair(tenant, open, token, found, (found.generation + 1, now, until)).await?;
        let renewal = Renewal {
            session: token.session,
            user: found.user,
            generation: found.generation,
            renewed_at: now,
            expires_at: Lifetimes::of(&settings, &found.group).end(now, now),
            refresh_until: until,
        };
        if !sessions::renew(&open.system, &visitor.context(Some(found.number)), renewal).await? {
            return Ok(None);
        }
        self.sessions.renewed(token.session);
        tracing::info!(
            target: "audit", action = "refresh", outcome = "ok", tenant = tenant.name, user = found.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(Some(entered))
    }

    /// The tokens of a generation, with when it began and until when its refresh token is good.
    async fn pair(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        token: &RefreshToken,
        found: &Found,
        (number, begun, refresh_until): (i64, Timestamp, Timestamp),
    ) -> Result<Entered> {
        let user = users::find(&open.system, &Lookup::Id(found.user)).await?.ok_or_else(invalid)?.user;
        let generation = Generation { session: token.session, number, begun, refresh_until };
        let tokens = self.issue(tenant, open, &user, &generation).await?;
        Ok(Entered { user, tokens })
    }

    async fn end_family(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        visitor: &Visitor,
        token: &RefreshToken,
        found: &Found,
    ) -> Result<()> {
        sessions::end(&open.system, &visitor.context(Some(found.number)), found.user, token.session).await?;
        self.sessions.end(&[token.session]);
        tracing::warn!(
            target: "audit", action = "refresh", outcome = "reused", status = 401, tenant = tenant.name, user = found.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }
}

/// 401 `refresh_invalid`: the one answer to every refresh token that is no good.
fn invalid() -> Error {
    Error::plain(Reason::RefreshInvalid)
}

#[cfg(test)]
mod tests {
    use super::Standing::{self, Newest, Overtaken, Unknown, Used};
    use kernel::time::Timestamp;

    #[test]
    fn only_the_newest_renews_and_the_one_before_is_forgiven_for_a_moment() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (token, newest, now, expected) in [
            (0, 0, 1_000, Newest),
            (4, 5, 9, Overtaken),
            // The clock of the node that renewed it goes before.
            (4, 5, -3, Overtaken),
            (4, 5, 10, Used),
            (3, 5, 1, Used),
            (i64::MIN, 5, 1, Used),
            (6, 5, 1, Unknown),
        ] {
            assert_eq!(Standing::of(token, newest, at(0), at(now)), expected, "{token} of {newest} at {now}");
        }
    }
}
