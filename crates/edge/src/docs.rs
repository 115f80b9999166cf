//! The OpenAPI document and a page to read it with. The page loads nothing from elsewhere.

use axum::{Router, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Answer, Routes};

/// The paths served here; they are open, and there before the installation is initialised.
pub(crate) const PATHS: [&str; 4] = ["/openapi.json", "/docs", "/docs/page.css", "/docs/page.js"];

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The page, as a feature's routes.
pub(crate) fn pages() -> Routes {
    OpenApiRouter::new()
        .routes(routes!(page))
        .route("/docs/page.css", get(async || asset("text/css; charset=utf-8", include_str!("docs/page.css"))))
        .route("/docs/page.js", get(async || asset("text/javascript; charset=utf-8", include_str!("docs/page.js"))))
}

/// The route of the document, which is written once.
pub(crate) fn document(openapi: &OpenApi) -> Router {
    let written = serde_json::to_vec(openapi).map(Bytes::from).map_err(kernel::Error::internal);
    let body = written.unwrap_or_else(|error| {
        tracing::error!(%error, "the OpenAPI document cannot be written");
        Bytes::from_static(b"{}")
    });
    Router::new().route("/openapi.json", get(async move || Answer::raw(body.clone())))
}

/// A page that shows this API and lets it be tried.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    security(()),
    responses((status = 200, content_type = "text/html", body = String))
)]
async fn page() -> impl IntoResponse {
    asset("text/html; charset=utf-8", include_str!("docs/page.html"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text)
}
