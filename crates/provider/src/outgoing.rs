//! How providers are asked: within a time, with a bounded answer, no redirects, no proxy, and `https` only.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value as Json;
use url::Url;

use crate::error::{Error, Result, refused, unavailable};

/// Bytes that an answer may have.
const MOST: usize = 1 << 20;

/// The way out to one provider.
pub(crate) struct Outgoing {
    client: reqwest::Client,
}

impl Outgoing {
    /// `timeout` is for a whole request. With `allow_http` callers must see to it that the address is this machine's.
    pub(crate) fn new(timeout: Duration, allow_http: bool) -> std::result::Result<Self, String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("insula/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!allow_http)
            .no_proxy()
            .connect_timeout(timeout)
            .timeout(timeout)
            .build()
            .map_err(|error| format!("providers cannot be asked: {}", root(&error)))?;
        Ok(Self { client })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let place = place(request.uri());
        let failed = |error: reqwest::Error| unavailable(format!("{place}: {}", plain(&error)));
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MOST {
                return Err(unavailable(format!("{place}: the answer is longer than {MOST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    /// Gets a JSON document.
    ///
    /// Errors: [`Error::Refused`] for 400, 401, 403 and 404, [`Error::Unavailable`] for all else.
    pub(crate) async fn get(&self, url: &Url, mut headers: HeaderMap) -> Result<Json> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = url.as_str().parse().map_err(|_| unavailable("an address cannot be asked"))?;
        *request.headers_mut() = headers;
        let place = place(request.uri());
        let response = Box::pin(self.send(request)).await?;
        match response.status() {
            StatusCode::OK => kernel::json::value(response.body())
                .map_err(|error| unavailable(format!("{place}: no JSON ({:?} error)", error.classify()))),
            status @ (StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND) => refused(format!("{place}: {status}")),
            status => Err(unavailable(format!("{place}: {status}"))),
        }
    }

    /// Gets a document of the provider's own, such as its keys: not to get it is the provider's fault alone.
    pub(crate) async fn document(&self, url: &Url) -> Result<Json> {
        self.get(url, HeaderMap::new()).await.map_err(|error| match error {
            Error::Refused(cause) => Error::Unavailable(cause),
            other => other,
        })
    }

    /// Gets a JSON document with an access token.
    pub(crate) async fn with_token(&self, url: &Url, token: &str) -> Result<Json> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| unavailable("the access token is not one that can be sent"))?;
        value.set_sensitive(true);
        self.get(url, HeaderMap::from_iter([(header::AUTHORIZATION, value)])).await
    }
}

/// An address without what may be secret in it.
fn place(uri: &http::Uri) -> String {
    format!("{}{}", uri.authority().map_or("", |authority| authority.as_str()), uri.path())
}

/// What went wrong, with its causes and without the address.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no whole answer in time".to_owned();
    }
    let cause = root(error);
    if error.is_connect() { format!("cannot connect: {cause}") } else { format!("broken off: {cause}") }
}

/// The first cause.
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error)
}
