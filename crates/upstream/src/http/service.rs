//! A service behind an endpoint, and the ways to call it.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use kernel::{ByteSize, Error, Reason, Result, Span};
use serde_json::value::RawValue;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::{
    address::Address,
    breaker::{Breaker, Passage},
    call::Call,
    clients::Clients,
    config::HttpConfig,
    failure::Failure,
    headers, json,
    stream::BodyStream,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long to wait before the first repeat; before the next twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const MOST_RETRIES: u8 = 10;

/// An HTTP service behind an endpoint. It keeps count of its calls and failures, so that there should be one value for
/// an endpoint.
pub struct HttpUpstream {
    clients: Arc<Clients>,
    address: Address,
    method: Method,
    headers: HeaderMap,
    connect_timeout: Span,
    timeout: Span,
    max_response_size: ByteSize,
    max_passthrough_size: Option<ByteSize>,
    retries: u8,
    breaker: Arc<Breaker>,
    turns: Arc<Semaphore>,
}

impl HttpUpstream {
    /// Checks the configuration and reads the files it names; `folder` is where they are. It blocks.
    ///
    /// Errors: the field, and what is wrong with it.
    pub fn new(config: &HttpConfig, folder: &Path, clients: &Arc<Clients>) -> Result<Self, (String, String)> {
        let wrong = |field: &str, problem: &str| (field.to_owned(), problem.to_owned());
        let address = Address::parse(&config.url).map_err(|problem| ("url".to_owned(), problem))?;
        if address.secure() {
            clients.prepare_secure().map_err(|error| ("url".to_owned(), format!("https cannot be used: {error}")))?;
        }
        let method = config.method.as_deref().map_or(Ok(Method::POST), str::parse);
        let method = method.map_err(|_| wrong("method", "this is not a method"))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(wrong("method", "this method cannot be used"));
        }
        for (field, span) in [("timeout", config.timeout), ("connect_timeout", config.connect_timeout)] {
            if span.0.is_zero() {
                return Err(wrong(field, "it must be longer than 0"));
            }
        }
        if config.retries > MOST_RETRIES {
            return Err(wrong("retries", "it must be 10 or less"));
        }
        if config.max_concurrent == 0 {
            return Err(wrong("max_concurrent", "it must be 1 or more"));
        }
        Ok(Self {
            clients: Arc::clone(clients),
            address,
            method,
            headers: headers::fixed(&config.headers, folder)?,
            connect_timeout: config.connect_timeout,
            timeout: config.timeout,
            max_response_size: config.max_response_size,
            max_passthrough_size: config.max_passthrough_size,
            retries: config.retries,
            breaker: Breaker::new(config.breaker_failures, config.breaker_pause.0),
            turns: Arc::new(Semaphore::new((config.max_concurrent as usize).min(Semaphore::MAX_PERMITS))),
        })
    }

    /// The names that [`Call::path`] must have, as the address says; `*` is the rest of the path.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.address.names()
    }

    /// Calls the service for an answer that is JSON with a status of success. Its text is handed on as it is.
    ///
    /// Errors: 400 `field_invalid` for values that cannot stand in the address, 502 `upstream_unavailable`,
    /// 502 `upstream_invalid`, 504 `upstream_timeout`, 503 `busy`.
    pub async fn json(&self, call: Call<'_>) -> Result<Box<RawValue>> {
        let mut headers = self.headers_of(&call)?;
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let request = self.request(&call, headers)?;
        let (_turn, passage) = self.enter()?;
        let whole = async { json::read(self.send(&request).await?, self.max_response_size).await };
        let answer = timeout(self.timeout.0, whole).await.unwrap_or(Err(Failure::Late(self.timeout)));
        self.judged(answer, passage, call.request_id)
    }

    /// Calls the service for an answer that is handed on as it comes, whatever its status, except that redirects are
    /// refused. Dropping the answer ends the call.
    ///
    /// Errors: those of [`Self::json`]; what fails later is an error of the body.
    pub async fn passthrough(&self, call: Call<'_>) -> Result<Response<BodyStream>> {
        let mut headers = self.headers_of(&call)?;
        headers::hand_on(call.headers, &mut headers);
        let request = self.request(&call, headers)?;
        let (turn, passage) = self.enter()?;
        let answer = timeout(self.timeout.0, self.send(&request)).await.unwrap_or(Err(Failure::Late(self.timeout)));
        let answer = answer.and_then(|answer| self.admissible(answer));
        let answer = self.judged(answer, passage, call.request_id)?;
        Ok(self.handed_back(answer, call.request_id, turn))
    }

    fn headers_of(&self, call: &Call<'_>) -> Result<HeaderMap> {
        let mut headers = self.headers.clone();
        headers.insert(REQUEST_ID, HeaderValue::from_str(call.request_id).map_err(Error::internal)?);
        if self.has_body() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(headers)
    }

    fn request(&self, call: &Call<'_>, headers: HeaderMap) -> Result<Prepared> {
        let uri = self.address.fill(call.path, call.query)?;
        Ok(Prepared { uri, headers, body: if self.has_body() { call.context.clone() } else { Bytes::new() } })
    }

    fn is_safe(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Whether the service is sent the context: `GET` and `HEAD` have no body.
    pub fn has_body(&self) -> bool {
        !self.is_safe()
    }

    /// Takes a turn, unless there are too many calls or the service is left alone.
    fn enter(&self) -> Result<(OwnedSemaphorePermit, Passage)> {
        let busy = |message: &str, seconds| Error::new(Reason::Busy, message).retry_after(seconds);
        let turn = Arc::clone(&self.turns)
            .try_acquire_owned()
            .map_err(|_| busy("Too many calls of the service behind the endpoint are running", 1))?;
        let passage = self.breaker.enter().map_err(|pause| {
            let seconds = pause.as_millis().div_ceil(1000) as u64;
            busy("The service behind the endpoint failed several times and is left alone for a while", seconds)
        })?;
        Ok((turn, passage))
    }

    /// Sends a request, and again where that is safe.
    async fn send(&self, request: &Prepared) -> Result<Response<Incoming>, Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..self.retries {
            match self.attempt(request).await {
                Err(failure) if self.repeatable(&failure) => sleep(pause).await,
                settled => return settled,
            }
            pause *= 2;
        }
        self.attempt(request).await
    }

    async fn attempt(&self, prepared: &Prepared) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::new(Full::new(prepared.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = prepared.uri.clone();
        *request.headers_mut() = prepared.headers.clone();
        let mut connection = capture_connection(&mut request);
        let secure = self.address.secure();
        let answer = self.clients.send(request, secure).map_err(|error| Failure::Unreachable(error.into()))?;
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(Failure::of_request),
            _ = connection.wait_for_connection_metadata() => {}
            () = sleep(self.connect_timeout.0) => return Err(Failure::ConnectTimeout(self.connect_timeout)),
        }
        answer.await.map_err(Failure::of_request)
    }

    /// Whether the service cannot have done anything yet, or does the same again without harm.
    fn repeatable(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Unreachable(_) | Failure::ConnectTimeout(_) => true,
            Failure::Broken(_) => self.is_safe(),
            _ => false,
        }
    }

    /// Refuses answers that would lead the caller elsewhere or change the protocol.
    fn admissible(&self, answer: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        let status = answer.status();
        if status.is_informational() || (status.is_redirection() && status != StatusCode::NOT_MODIFIED) {
            return Err(Failure::Status(status));
        }
        match self.max_passthrough_size {
            Some(limit) if answer.body().size_hint().lower() > limit.0 => Err(Failure::TooLarge(limit)),
            _ => Ok(answer),
        }
    }

    /// Tells the breaker how a call went, and turns its failure into an error.
    fn judged<T>(&self, answer: Result<T, Failure>, passage: Passage, request_id: &str) -> Result<T> {
        let outage = answer.as_ref().is_err_and(Failure::is_outage);
        let answer = answer.map_err(|failure| failure.told(self.address.host()));
        if !outage {
            passage.well();
        } else if passage.failed() {
            tracing::warn!(%request_id, host = self.address.host(), "a service failed several times and is left alone");
        }
        answer
    }

    fn handed_back(
        &self,
        answer: Response<Incoming>,
        request_id: &str,
        turn: OwnedSemaphorePermit,
    ) -> Response<BodyStream> {
        let (mut parts, body) = answer.into_parts();
        // The length of what comes, not the one that is claimed; only without a body there is nothing but the claim.
        let claimed = parts.headers.remove(header::CONTENT_LENGTH);
        let bodyless = self.method == Method::HEAD || parts.status == StatusCode::NOT_MODIFIED;
        let length = if bodyless { claimed } else { body.size_hint().exact().map(HeaderValue::from) };
        let mut headers = headers::hand_back(std::mem::take(&mut parts.headers));
        if let Some(length) = length.filter(|_| parts.status != StatusCode::NO_CONTENT) {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        let body =
            BodyStream::new(body, self.max_passthrough_size, self.timeout, self.address.host(), request_id, turn);
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = headers;
        response
    }
}

/// A request that can be sent several times.
struct Prepared {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}
