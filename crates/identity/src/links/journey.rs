//! A journey to a provider and back.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::rand;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use kernel::{
    Authenticated, Error, Reason, Result, Secret, Tenant, TenantId,
    seal::{Place, same},
    time::Timestamp,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::OpenTenant;
use url::{Url, form_urlencoded};

use super::{NewLink, kept::Arrival, pages, refused};
use crate::{
    Identity,
    entry::{Entered, Method, Visitor},
    sessions::after,
    tables::link_attempts::{self, ATTEMPTS, Attempt},
    tokens,
};

/// Time that a journey may take.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);
/// Bytes of a provider's code and of its issuer's name.
const LONGEST_CODE: usize = 4_096;
const LONGEST_ISSUER: usize = 512;

/// Tenants with journeys since the last sweep.
pub(crate) type Journeys = Mutex<HashMap<TenantId, Arc<Tenant>>>;

/// How a journey begins.
pub(crate) struct Start<'a> {
    pub(crate) provider: &'a str,
    /// Where the provider sends the browser.
    pub(crate) callback: Url,
    /// Where the browser goes on from there; none where the callback itself answers.
    pub(crate) page: Option<&'a str>,
    /// Who links; none for a log in.
    pub(crate) caller: Option<&'a Authenticated>,
}

/// A journey that has begun.
pub(crate) struct Begun {
    /// The provider's page.
    pub(crate) url: Url,
    /// What its end needs.
    pub(crate) proof: Secret,
    pub(crate) expires_at: Timestamp,
}

/// What a browser brings to the callback.
pub(crate) struct Returned<'a> {
    pub(crate) provider: &'a str,
    /// Where it came.
    pub(crate) callback: Url,
    pub(crate) state: &'a str,
    /// None where the provider refused.
    pub(crate) code: Option<&'a str>,
    pub(crate) iss: Option<&'a str>,
    pub(crate) cookie: Option<&'a str>,
}

/// What comes of a journey.
pub(crate) enum Ended {
    /// Nothing yet: the page must go on with what its address tells.
    AtPage(Url),
    Entered(Box<Entered>),
    Linked(NewLink),
}

/// A provider's answer on its way through the page.
#[derive(Serialize, Deserialize)]
struct LinkCode {
    state: String,
    code: String,
    iss: Option<String>,
    callback: Url,
}

impl Identity {
    /// Begins a journey.
    ///
    /// Errors: 404 `provider_unknown`; 400 `field_invalid` for a page that is not listed; 403 `session_required`,
    /// `tenant_mismatch`; 502 `provider_unavailable`; 503.
    pub(crate) async fn begin_journey(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        start: Start<'_>,
    ) -> Result<Begun> {
        if let Some(caller) = start.caller {
            require_of(caller, tenant)?;
            caller.principal.session()?;
        }
        let settings = self.settings.of(tenant).await?;
        let page = start.page.map(|page| pages::page(page, &settings, tenant)).transpose()?;
        let provider = self.providers.of(&settings, start.provider).await?;
        let begun = provider.begin(&start.callback).await?;
        let open = self.tenants.open(tenant).await?;
        let proof = new_proof()?;
        let state = hashed(begun.state.expose());
        let seal = |column, secret: &Secret| open.key.seal(place(&open, &state, column), secret.expose().as_bytes());
        let attempt = Attempt {
            provider: start.provider.to_owned(),
            user: start.caller.map(|caller| caller.principal.id),
            verifier: seal("verifier", &begun.verifier)?,
            nonce: seal("nonce", &begun.nonce)?,
            page: page.map(String::from),
            proof_hash: hashed(proof.expose()),
            expires_at: after(kernel::time::now(), LIFETIME),
        };
        let expires_at = attempt.expires_at;
        let context = visitor.context(start.caller.and_then(|caller| caller.principal.user()));
        link_attempts::add(&open.system, &context, state.clone(), attempt).await?;
        self.journeys.lock().entry(tenant.id).or_insert_with(|| Arc::clone(tenant));
        Ok(Begun { url: begun.url, proof, expires_at })
    }

    /// Takes a browser back from a provider: on to the page, or by its cookie to the end.
    ///
    /// Errors: 400 `link_refused`; 404 `provider_unknown`; 502 `provider_unavailable`; otherwise as [`Self::arrive`].
    pub(crate) async fn return_from_journey(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        returned: Returned<'_>,
    ) -> Result<Ended> {
        let open = self.tenants.open(tenant).await?;
        let state = hashed(returned.state);
        let attempt = find(&open, returned.provider, &state).await?;
        let fits = |code: &&str| code.len() <= LONGEST_CODE && returned.iss.unwrap_or_default().len() <= LONGEST_ISSUER;
        let code = returned.code.filter(fits);
        if attempt.page.is_none() && !shows(returned.cookie, &attempt) {
            return Err(refused());
        }
        let Some(code) = code else {
            link_attempts::take(&open.system, &visitor.context(None), &state).await?;
            return turned_back(tenant, visitor, &attempt);
        };
        let answer = LinkCode {
            state: returned.state.to_owned(),
            code: code.to_owned(),
            iss: returned.iss.map(str::to_owned),
            callback: returned.callback,
        };
        match &attempt.page {
            Some(page) => {
                let text = serde_json::to_vec(&answer).map_err(Error::internal)?;
                let sealed = open.key.seal(place(&open, &attempt.provider, "code"), &text)?;
                on(page, &[("link_provider", &attempt.provider), ("link_code", &sealed)])
            }
            None => Box::pin(self.end_journey(tenant, &open, visitor, &state, attempt, &answer, None)).await,
        }
    }

    /// Ends a journey that led back to a page. `caller` is who shows a session with it.
    ///
    /// Errors: 400 `link_refused`; 401 `no_token` where an account is to be linked and nobody shows a session; 404
    /// `provider_unknown`; 409 `already_linked`; 502 `provider_unavailable`; otherwise as [`Self::arrive`].
    pub(crate) async fn complete_journey(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        provider: &str,
        (code, proof): (&Secret, &Secret),
        caller: Option<&Authenticated>,
    ) -> Result<Ended> {
        let open = self.tenants.open(tenant).await?;
        let opened = open.key.open(place(&open, provider, "code"), code.expose()).map_err(|_| refused())?;
        let answer: LinkCode = serde_json::from_slice(&opened).map_err(Error::internal)?;
        let state = hashed(&answer.state);
        let attempt = find(&open, provider, &state).await?;
        if attempt.page.is_none() || !shows(Some(proof.expose()), &attempt) {
            return Err(refused());
        }
        let caller = match (attempt.user, caller) {
            (None, _) => None,
            (Some(_), None) => return Err(Error::plain(Reason::NoToken)),
            (Some(user), Some(caller)) => {
                require_of(caller, tenant)?;
                caller.principal.session()?;
                if caller.principal.id != user {
                    return Err(refused());
                }
                Some(caller)
            }
        };
        Box::pin(self.end_journey(tenant, &open, visitor, &state, attempt, &answer, caller)).await
    }

    #[expect(clippy::too_many_arguments, reason = "one step of two ways, each of which knows all of it")]
    async fn end_journey(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        state: &str,
        attempt: Attempt,
        answer: &LinkCode,
        caller: Option<&Authenticated>,
    ) -> Result<Ended> {
        let number = caller.and_then(|caller| caller.principal.user());
        let ended = async {
            if !link_attempts::take(&open.system, &visitor.context(number), state).await? {
                return Err(refused());
            }
            let arrival = self.finish(tenant, open, state, &attempt, answer).await?;
            if let Some(caller) = caller {
                return self.link(tenant, open, visitor, &caller.principal, arrival).await.map(Ended::Linked);
            }
            let entered = self.arrive(tenant, open, visitor, Method::Link, arrival).await?;
            Ok(Ended::Entered(Box::new(entered)))
        };
        let outcome = Box::pin(ended).await;
        let user = match &outcome {
            Ok(Ended::Entered(entered)) => Some(entered.user.number),
            _ => number,
        };
        tracing::info!(
            target: "audit", action = if caller.is_some() { "link" } else { "login" },
            outcome = kernel::error::outcome_word(&outcome), tenant = tenant.name, user,
            method = Method::Link.word(), provider = attempt.provider, client = %visitor.client,
            request_id = %visitor.request,
        );
        outcome
    }

    async fn finish(
        &self,
        tenant: &Tenant,
        open: &OpenTenant,
        state: &str,
        attempt: &Attempt,
        answer: &LinkCode,
    ) -> Result<Arrival> {
        let settings = self.settings.of(tenant).await?;
        let provider = self.providers.of(&settings, &attempt.provider).await?;
        let unsealed = |column, sealed: &str| {
            let opened = open.key.open(place(open, state, column), sealed)?;
            String::from_utf8(opened).map(Secret::new).map_err(Error::internal)
        };
        let (verifier, nonce) = (unsealed("verifier", &attempt.verifier)?, unsealed("nonce", &attempt.nonce)?);
        let returned = provider::Returned {
            code: &answer.code,
            iss: answer.iss.as_deref(),
            redirect_uri: &answer.callback,
            verifier: &verifier,
            nonce: &nonce,
        };
        let grant = Box::pin(provider.finish(returned)).await?;
        let keep = settings.providers.get(&attempt.provider).is_some_and(|config| config.keep_tokens);
        Ok(Arrival::of_grant(&attempt.provider, grant, keep))
    }

    /// Removes journeys that nobody ended, of tenants that had any of late. [`Identity::job`] does it now and then.
    pub async fn sweep_journeys(&self) {
        let tenants = std::mem::take(&mut *self.journeys.lock());
        let now = kernel::time::now();
        for tenant in tenants.into_values() {
            let swept = async {
                let open = self.tenants.open(&tenant).await?;
                Ok::<_, Error>(link_attempts::sweep(&open.system, now).await?)
            };
            match swept.await {
                Ok(false) => {}
                // Those that go on, and those beyond one batch, come later.
                Ok(true) => drop(self.journeys.lock().entry(tenant.id).or_insert(tenant)),
                Err(error) => tracing::warn!(tenant = tenant.name, %error, "expired journeys were not removed"),
            }
        }
    }
}

/// The journey of a state, if it began with this provider and is not over.
async fn find(open: &OpenTenant, provider: &str, state: &str) -> Result<Attempt> {
    let found = link_attempts::find(&open.system, state).await?;
    let good = |attempt: &Attempt| attempt.provider == provider && kernel::time::now() < attempt.expires_at;
    found.filter(good).ok_or_else(refused)
}

fn shows(proof: Option<&str>, attempt: &Attempt) -> bool {
    proof.is_some_and(|proof| same(hashed(proof).as_bytes(), attempt.proof_hash.as_bytes()))
}

/// The provider refused: the page is told, or whoever asks.
fn turned_back(tenant: &Tenant, visitor: &Visitor, attempt: &Attempt) -> Result<Ended> {
    tracing::info!(
        target: "audit", action = if attempt.user.is_some() { "link" } else { "login" }, outcome = "link_refused",
        status = if attempt.page.is_some() { 302 } else { Reason::LinkRefused.status() },
        tenant = tenant.name, method = Method::Link.word(), provider = attempt.provider, client = %visitor.client,
        request_id = %visitor.request,
    );
    match &attempt.page {
        Some(page) => on(page, &[("link_provider", &attempt.provider), ("link_error", Reason::LinkRefused.word())]),
        None => Err(Error::new(Reason::LinkRefused, "The provider or its user refused; begin again")),
    }
}

/// The page with what it must know in its fragment, which no server and no `Referer` sees.
fn on(page: &str, parameters: &[(&str, &str)]) -> Result<Ended> {
    let mut page = Url::parse(page).map_err(Error::internal)?;
    let fragment = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    page.set_fragment(Some(&fragment));
    Ok(Ended::AtPage(page))
}

fn place<'a>(open: &OpenTenant, row: &'a str, column: &'a str) -> Place<'a> {
    Place { tenant: open.tenant.id, table: ATTEMPTS, row, column }
}

/// On an address that no tenant owns a session of any tenant is good; the provider's answer would find another one there.
fn require_of(caller: &Authenticated, tenant: &Tenant) -> Result<()> {
    if caller.tenant.id == tenant.id { Ok(()) } else { Err(Error::plain(Reason::TenantMismatch)) }
}

fn hashed(text: &str) -> String {
    tokens::hex(&tokens::hash(text))
}

fn new_proof() -> Result<Secret> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Error::internal("there is no randomness"))?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}
