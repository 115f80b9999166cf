//! `GET` and `POST /` on `webhooks.` hosts: a sender's test of its connection.

use edge::{Answer, Caller};
use kernel::{Credential, Error, Reason};
use serde::Serialize;
use uuid::Uuid;

/// The token is good.
#[derive(Serialize)]
struct Hello<'a> {
    webhook: Webhook<'a>,
}

#[derive(Serialize)]
struct Webhook<'a> {
    /// The token's id.
    id: Uuid,
    /// The name that its maker gave it.
    name: &'a str,
}

/// Tells whose token it is. A body is ignored.
pub(super) async fn hello(caller: Caller) -> edge::Result {
    match &caller.principal().credential {
        Credential::Webhook(token) => Ok(Answer::ok(Hello { webhook: Webhook { id: token.id, name: &token.name } })),
        Credential::Session(_) | Credential::Key(_) => Err(Error::plain(Reason::SessionInvalid).into()),
    }
}
