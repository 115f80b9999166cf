//! One request's walk: the order in which things happen to it, the same for every request.
//!
//! The connection and its caps come first, in `serve`; rule check, SQL and audit happen in the handler.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Task, Poll},
};

use axum::{
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request},
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::BoxFuture};
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS},
};
use kernel::{Error, Reason, Result};
use tower::{Layer, Service};

use crate::{
    Failure,
    app::Core,
    context::{Context, REQUEST_ID},
    cors, docs, failure, host,
    host::Room,
    metric::{self, Outcome},
    resolve::{self, Place},
};

const MAX_URI_BYTES: usize = 8 << 10;
const INIT: [&str; 2] = ["/api/walnut@daplie.com/init", "/api/insula/init"];

/// Answers requests of one peer.
#[derive(Clone)]
pub(crate) struct Walk {
    pub(crate) core: Arc<Core>,
    pub(crate) peer: Option<IpAddr>,
    /// Whether there was a request yet.
    pub(crate) asked: Arc<AtomicBool>,
    /// Whether the next answer is the connection's last.
    pub(crate) closing: Arc<AtomicBool>,
}

impl Walk {
    fn answer(&self, request: Request) -> impl Future<Output = Response> + use<> {
        self.asked.store(true, Ordering::Release);
        let peer = self.peer.unwrap_or_else(|| {
            let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
            info.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip())
        });
        // Request id, client address and scheme. From here on every answer carries the id.
        let context = Arc::new(Context::begin(Arc::clone(&self.core), peer, request.method(), request.headers()));
        Arc::clone(&context.log).scope(respond(context, Arc::clone(&self.closing), request))
    }
}

async fn respond(context: Arc<Context>, closing: Arc<AtomicBool>, request: Request) -> Response {
    let core = &context.core;
    let outcome = Outcome::begin(&core.metrics, request.method(), context.log.begun);
    let running = counts(&request).then(|| core.activity.begin());
    let head = request.method() == Method::HEAD;
    let origin = cors::origin(request.headers());
    let steps = tokio::time::timeout(core.config.request_timeout.0, Box::pin(steps(&context, request)));
    let response = match AssertUnwindSafe(steps).catch_unwind().await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(error))) => Failure::from(error).into_response(),
        Ok(Err(_elapsed)) => Failure::from(of_endpoint(&context, Error::plain(Reason::Timeout))).into_response(),
        Err(panic) => Failure::from(of_endpoint(&context, Error::internal(panic_text(&*panic)))).into_response(),
    };
    // Answer: the envelope of a refusal, headers.
    let mut response = failure::render(response, context.id);
    headers(&context, origin.as_ref(), response.headers_mut());
    if closing.load(Ordering::Acquire) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if head {
        without_body(&mut response);
    }
    // Log line and metrics.
    let (status, duration) = (response.status().as_u16(), context.log.begun.elapsed());
    tracing::info!(status, duration_ms = duration.as_secs_f64() * 1_000.0, "answered");
    outcome.end(context.log.route(), status, duration);
    match running {
        Some(running) => response.map(|body| running.until_sent(body)),
        None => response,
    }
}

async fn steps(context: &Arc<Context>, mut request: Request) -> Result<Response> {
    let core = &*context.core;
    // Header caps.
    check_caps(core, &request)?;
    strip_trailing_slash(request.uri_mut());
    // Host to tenant.
    let authority = resolve::authority(request.uri(), request.headers(), request.version())?;
    let place = resolve::resolve(&*core.directory, authority).await;
    if let Ok(Place::Tenant(site, room)) = &place {
        context.enter(site, *room);
    }
    // Rate limit. Before the host's refusal is told, so that asking for strange hosts is limited too.
    check_rate(context, request.uri().path())?;
    enter(core, place, &request)?;
    if let Some(preflight) = preflight(context, &request) {
        return Ok(preflight);
    }
    // Route match among those of the room, then in the handler's arguments: authentication (`Caller`), body cap and
    // parse (`Json`).
    request.extensions_mut().insert(context.clone());
    let mut routes = core.routes.of(context.entered().map(|(_, room)| *room)).clone();
    match routes.call(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

fn check_caps(core: &Core, request: &Request) -> Result<()> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > MAX_URI_BYTES {
        return Err(Error::new(Reason::BadRequest, "The request's address is longer than 8KB"));
    }
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let cap = core.config.max_header_size;
    if size as u64 > cap.0 {
        return Err(Error::new(Reason::HeadersTooLarge, format!("The headers are larger than {cap}")));
    }
    Ok(())
}

fn check_rate(context: &Context, path: &str) -> Result<()> {
    let core = &context.core;
    if !core.config.rate_limit.enabled {
        return Ok(());
    }
    let (name, limiter) =
        if path.starts_with("/auth/") { ("auth", &core.auth_limit) } else { ("api", &core.api_limit) };
    limiter.check(context.client, core.started.elapsed()).map_err(|seconds| {
        metric::limited(name);
        Error::plain(Reason::RateLimited).retry_after(seconds)
    })
}

/// Lets a request in where its host leads, or refuses it.
fn enter(core: &Core, place: Result<Place>, request: &Request) -> Result<()> {
    let (method, path) = (request.method(), request.uri().path());
    let init = method == Method::POST && INIT.contains(&path);
    let open = is_read(method) && is_open(path);
    let place = match place {
        // Above all `GET /health` has to tell that the database is down.
        Err(error) if open && error.reason.status() >= 500 => return Ok(()),
        place => place?,
    };
    match place {
        Place::Tenant(site, Room::Api) => {
            // On a loopback name the credential may lead to another tenant, which is checked then.
            if site.explicit { site.tenant.require_active() } else { Ok(()) }
        }
        Place::Tenant(site, Room::Assets | Room::Webhooks) => site.tenant.require_active(),
        Place::NotInitialised if init || open => Ok(()),
        Place::NotInitialised => Err(Error::plain(Reason::NotInitialised)),
        // Who comes second to initialise shall hear so from the handler.
        Place::Nobody if init && is_bootstrap(core, request) => Ok(()),
        Place::Nobody => Err(Error::plain(Reason::HostUnknown)),
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Whether a request is activity. Monitors ask all day long.
fn counts(request: &Request) -> bool {
    request.uri().path().trim_end_matches('/') != "/health"
}

fn is_open(path: &str) -> bool {
    path == "/" || path == "/health" || docs::PATHS.contains(&path)
}

fn is_bootstrap(core: &Core, request: &Request) -> bool {
    let authority = resolve::authority(request.uri(), request.headers(), request.version());
    let name = authority.ok().flatten().and_then(host::canonical);
    name.is_some_and(|name| {
        name == "api.localhost.daplie.me"
            || core.config.bootstrap_hosts.iter().any(|host| host.eq_ignore_ascii_case(&name))
    })
}

fn preflight(context: &Context, request: &Request) -> Option<Response> {
    let (site, room) = context.entered()?;
    (*room != Room::Webhooks && cors::is_preflight(request, &site.tenant)).then(cors::preflight)
}

fn strip_trailing_slash(uri: &mut Uri) {
    let path = uri.path();
    let stripped = path.trim_end_matches('/');
    if stripped.len() == path.len() || path.len() <= 1 {
        return;
    }
    let stripped = if stripped.is_empty() { "/" } else { stripped };
    let target = match uri.query() {
        Some(query) => format!("{stripped}?{query}"),
        None => stripped.to_owned(),
    };
    let mut parts = std::mem::take(uri).into_parts();
    // Cannot fail: it is a part of what was valid before.
    parts.path_and_query = target.try_into().ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn headers(context: &Context, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if let Ok(id) = HeaderValue::from_str(context.id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some((site, room)) = context.entered() {
        cors::allow(&site.tenant, *room, origin, headers);
    }
}

fn without_body(response: &mut Response) {
    let body = std::mem::replace(response.body_mut(), Body::empty());
    if let Some(length) = axum::body::HttpBody::size_hint(&body).exact().filter(|length| *length > 0) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
}

/// What ended without its handler names the endpoint that it was about all the same.
fn of_endpoint(context: &Context, error: Error) -> Error {
    match context.log.endpoint() {
        Some(endpoint) => error.of_endpoint(endpoint),
        None => error,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}

impl Service<Request> for Walk {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.answer(request).map(Ok))
    }
}

impl hyper::service::Service<http::Request<hyper::body::Incoming>> for Walk {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        Box::pin(self.answer(request.map(Body::new)).map(Ok))
    }
}

/// Keeps the route's pattern for log and metrics; only inside the router it is known.
#[derive(Clone)]
pub(crate) struct RememberRoute;

impl<S> Layer<S> for RememberRoute {
    type Service = RememberingRoute<S>;

    fn layer(&self, inner: S) -> RememberingRoute<S> {
        RememberingRoute(inner)
    }
}

#[derive(Clone)]
pub(crate) struct RememberingRoute<S>(S);

impl<S: Service<Request>> Service<Request> for RememberingRoute<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let extensions = request.extensions();
        if let (Some(context), Some(path)) = (extensions.get::<Arc<Context>>(), extensions.get::<MatchedPath>()) {
            context.log.set_route(path.as_str());
        }
        self.0.call(request)
    }
}
