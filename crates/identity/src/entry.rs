//! How a session begins, whatever the way in: one place for all of them.

use std::{net::IpAddr, sync::Arc};

use kernel::{Error, Reason, RequestId, Result, Tenant, WriteContext, time::Timestamp};
use store::{Ddl, OpenTenant, Transaction};
use uuid::Uuid;

use crate::{
    Identity, User, UserStatus,
    refresh_token::RefreshToken,
    second_factor,
    sessions::{Lifetimes, after},
    tables::{
        second_factors,
        sessions::{self, Fresh},
        users::{self, Locked},
    },
    tokens::{self, Purpose, Subject},
};

/// Where somebody comes from.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) request: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) user_agent: Option<String>,
}

impl Visitor {
    /// The context of a write for a user, or for nobody yet.
    pub(crate) fn context(&self, user: Option<i64>) -> WriteContext {
        WriteContext::of_request(user, self.request)
    }
}

/// How somebody came in, as the list of sessions tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
    Pin,
    /// A card or badge.
    Card,
    Register,
    Anonymous,
    /// An account at an outside provider.
    Link,
    /// A token of an outside issuer.
    Exchange,
}

impl Method {
    /// The word for it in the database.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Pin => "pin",
            Self::Card => "token",
            Self::Register => "register",
            Self::Anonymous => "anonymous",
            Self::Link => "link",
            Self::Exchange => "exchange",
        }
    }
}

/// Somebody who came in, with the tokens of the new session.
pub(crate) struct Entered {
    pub(crate) user: User,
    pub(crate) tokens: Issued,
}

/// What a client gets of a session.
#[derive(Clone)]
pub(crate) struct Issued {
    /// For `Authorization: Bearer`.
    pub(crate) token: String,
    /// Good for one new pair.
    pub(crate) refresh_token: String,
    /// When the session ends if it is used no more.
    pub(crate) expires_at: Timestamp,
    /// Until when the refresh token is good.
    pub(crate) refresh_expires_at: Timestamp,
}

/// One generation of a session: each renewal begins another.
pub(crate) struct Generation {
    pub(crate) session: Uuid,
    pub(crate) number: i64,
    pub(crate) begun: Timestamp,
    /// Until when its refresh token is good.
    pub(crate) refresh_until: Timestamp,
}

impl Identity {
    /// Begins a session for a user who proved who they are. `still` is asked with the user's row locked: whether what was
    /// proved holds at that moment. An inactive user is refused like a wrong secret.
    ///
    /// Errors: 401 `credentials_invalid`, `second_factor_required`; 403 `email_unverified`; 503.
    pub(crate) async fn enter(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        visitor: &Visitor,
        user: User,
        method: Method,
        still: impl Fn(&Locked) -> bool + Send + Sync + 'static,
    ) -> Result<Entered> {
        self.require_confirmed(tenant, &user).await?;
        let (session, tokens) = self.new_session(tenant, visitor, &user, method).await?;
        let (ddl, id, still) = (open.system.ddl(), user.id, Arc::new(still));
        let context = visitor.context(Some(user.number));
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, session, still) = (ddl.clone(), session.clone(), Arc::clone(&still));
            Box::pin(async move {
                match users::lock(transaction, &ddl, id).await? {
                    Some(locked) if locked.status == UserStatus::Active && still(&locked) => {
                        if second_factors::is_in_force(transaction, &ddl, id).await? {
                            return Ok(Err(locked));
                        }
                        sessions::add(transaction, &ddl, session).await.map(Ok)
                    }
                    _ => Err(refused().into()),
                }
            })
        });
        let evicted = added.await?.map_err(|locked| second_factor::required(open, &user, method, &locked))?;
        self.sessions.end(&evicted);
        Ok(Entered { user, tokens })
    }

    /// A session to be stored, and its tokens.
    pub(crate) async fn new_session(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        user: &User,
        method: Method,
    ) -> Result<(Fresh, Issued)> {
        let settings = self.settings.of(tenant).await?;
        let open = self.tenants.open(tenant).await?;
        let (id, begun) = (Uuid::now_v7(), kernel::time::now());
        let refresh_until = after(begun, settings.refresh_lifetime.0);
        let generation = Generation { session: id, number: 0, begun, refresh_until };
        let tokens = self.issue(tenant, &open, user, &generation).await?;
        let cap = user.group.max_concurrent_sessions.filter(|cap| *cap > 0);
        let session = Fresh {
            id,
            token_hash: tokens::hex(&tokens::hash(&tokens.token)),
            user: user.id,
            method,
            created_at: begun,
            expires_at: tokens.expires_at,
            refresh_until,
            ip: visitor.client.to_string(),
            user_agent: visitor.user_agent.clone(),
            cap: cap.unwrap_or(settings.max_concurrent_sessions.get().into()),
        };
        Ok((session, tokens))
    }

    /// The pair of tokens of a session's generation.
    pub(crate) async fn issue(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        user: &User,
        generation: &Generation,
    ) -> Result<Issued> {
        let Generation { session, number, begun, refresh_until } = *generation;
        let settings = self.settings.of(tenant).await?;
        let lifetimes = Lifetimes::of(&settings, &user.group);
        let subject = Subject {
            user: user.id,
            purpose: Purpose::Session { session, generation: number, group: &user.group },
            from: begun,
            until: lifetimes.last(begun),
        };
        Ok(Issued {
            token: self.tokens.sign(tenant, &settings, &subject).await?.token,
            refresh_token: RefreshToken::new(&open.key, tenant.id, session, number).to_text(),
            expires_at: lifetimes.end(begun, kernel::time::now()),
            refresh_expires_at: refresh_until,
        })
    }
}

/// Stores a new user with the first session and tells the user's number.
pub(crate) async fn add_with_session(
    transaction: &mut Transaction<'_>,
    ddl: &Ddl,
    fresh: users::Fresh,
    session: Fresh,
) -> store::Result<i64> {
    let number = users::add(transaction, ddl, fresh).await?;
    sessions::add(transaction, ddl, session).await?;
    Ok(number)
}

/// The one answer to credentials that are no good.
pub(crate) fn refused() -> Error {
    Error::new(Reason::CredentialsInvalid, "The user name or the password is wrong")
}
