//! The authorization code grant (RFC 6749, section 4.1) with PKCE (RFC 7636), by the crate `oauth2`.

use kernel::BoxFuture;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, ExtraTokenFields,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Begun, ClientAuthentication,
    error::{Error, Result, quoted, refused, unavailable},
    outgoing::Outgoing,
    provider::Returned,
    settled::Client,
};

/// Bytes of a state and of a nonce before they are written as text.
const RANDOM_BYTES: u32 = 32;

/// What the token endpoint answers.
pub(crate) type Tokens = StandardTokenResponse<IdToken, BasicTokenType>;

/// What OpenID Connect adds to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdToken {
    pub(crate) id_token: Option<Redacted>,
}

impl ExtraTokenFields for IdToken {}

/// A token that `Debug` does not show.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Redacted(pub(crate) String);

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// The address to send a browser to, and what its return is measured by.
pub(crate) fn begin(client: &Client, authorize: &Url, redirect: &Url, with_nonce: bool) -> Begun {
    let oauth = OAuthClient::new(ClientId::new(client.id.clone())).set_auth_uri(AuthUrl::from_url(authorize.clone()));
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random_len(RANDOM_BYTES);
    let mut request = oauth
        .authorize_url(|| CsrfToken::new_random_len(RANDOM_BYTES))
        .set_pkce_challenge(challenge)
        .set_redirect_uri(std::borrow::Cow::Owned(RedirectUrl::from_url(redirect.clone())))
        .add_scopes(client.scopes.iter().cloned().map(Scope::new));
    if with_nonce {
        request = request.add_extra_param("nonce", nonce.secret().clone());
    }
    let (url, state) = request.url();
    Begun {
        url,
        state: kernel::Secret::new(state.into_secret()),
        nonce: kernel::Secret::new(nonce.into_secret()),
        verifier: kernel::Secret::new(verifier.into_secret()),
    }
}

/// Swaps a code for tokens.
pub(crate) async fn tokens(
    http: &Outgoing,
    client: &Client,
    endpoint: &Url,
    authentication: Option<ClientAuthentication>,
    returned: &Returned<'_>,
) -> Result<Tokens> {
    let kind = match authentication {
        Some(ClientAuthentication::Body) => AuthType::RequestBody,
        Some(ClientAuthentication::Basic) | None => AuthType::BasicAuth,
    };
    let mut oauth = OAuthClient::new(ClientId::new(client.id.clone()))
        .set_token_uri(TokenUrl::from_url(endpoint.clone()))
        .set_auth_type(kind);
    if let Some(secret) = &client.secret {
        oauth = oauth.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    let answer = oauth
        .exchange_code(AuthorizationCode::new(returned.code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier.expose().to_owned()))
        .set_redirect_uri(std::borrow::Cow::Owned(RedirectUrl::from_url(returned.redirect_uri.clone())))
        .request_async(http)
        .await;
    let tokens = answer.map_err(failure)?;
    match oauth2::TokenResponse::token_type(&tokens) {
        BasicTokenType::Bearer => Ok(tokens),
        _ => Err(unavailable("the token endpoint gives tokens of a type that is not known")),
    }
}

impl<'c> AsyncHttpClient<'c> for Outgoing {
    type Error = Error;
    type Future = BoxFuture<'c, Result<HttpResponse>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn failure(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => said(&answer),
        // Some, such as GitHub, report an error with status 200.
        RequestTokenError::Parse(error, body) => serde_json::from_slice(&body).map_or_else(
            |_| unavailable(format!("the token endpoint answers what cannot be read, at `{}`", error.path())),
            |answer| said(&answer),
        ),
        RequestTokenError::Other(problem) => unavailable(format!("the token endpoint: {}", quoted(&problem))),
    }
}

/// What an error of the token endpoint means: a code that is no good is the caller's, all else is not.
fn said(answer: &BasicErrorResponse) -> Error {
    use BasicErrorResponseType::{Extension, InvalidGrant};
    let text = quoted(&answer.to_string());
    match answer.error() {
        InvalidGrant => Error::Refused(text),
        // GitHub's own words for it.
        Extension(word) if word == "bad_verification_code" => Error::Refused(text),
        _ => unavailable(format!("the token endpoint: {text}")),
    }
}

/// The id token that came with the others.
pub(crate) fn id_token(tokens: &Tokens) -> Result<&str> {
    match &tokens.extra_fields().id_token {
        Some(token) => Ok(&token.0),
        None => refused("the provider gave no id token"),
    }
}
