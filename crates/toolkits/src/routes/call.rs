//! `/tk/app/{toolkit}/{*path}` and `/tk/lib/{toolkit}/{*path}`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use edge::{Caller, Path, RequestInfo};

use crate::{
    Service,
    file::{Method, ToolkitKind},
    service::{Asked, Payload},
};

/// The toolkit of a path, and the rest of it.
type Parts = Path<(String, String)>;

async fn call(
    service: &Service,
    caller: &Caller,
    info: &RequestInfo,
    toolkit: &str,
    request: Request,
    (kind, method): (ToolkitKind, Method),
) -> edge::Result<Response> {
    // As it came: what is decoded cannot be taken apart any more.
    let whole = request.uri().path().to_owned();
    let path = whole.strip_prefix(kind.prefix()).and_then(|rest| rest.split_once('/')).map_or("", |(_, path)| path);
    let asked = Asked { caller: &caller.0, info, kind: Some(kind), toolkit, path, method };
    Ok(service.call(&asked, Payload::Request(request)).await?)
}

/// Calls an endpoint of an application.
///
/// The parameters of the query string are the payload, each once. What is answered, and which endpoints there are, says
/// the toolkit.
#[utoipa::path(
    get,
    path = "/tk/app/{toolkit}/{*path}",
    operation_id = "get_from_application",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("path" = String, Path, description = "The endpoint's path, of one or more segments."),
    ),
    responses(
        (status = 200, description = "What the endpoint answers, as `data`", body = Object),
        (status = 400, body = edge::Envelope, description = "`field_unknown`, `field_missing`, `field_invalid`."),
        (status = 403, body = edge::Envelope, description = "`endpoint_denied`, `ability_missing`, `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`toolkit_unknown`, `endpoint_unknown`."),
        (status = 409, body = edge::Envelope, description = "`step_refused`."),
        (status = 502, body = edge::Envelope,
            description = "`upstream_unavailable`, `upstream_invalid`, `program_failed`."),
        (status = 504, body = edge::Envelope, description = "`upstream_timeout`."),
    )
)]
pub(super) async fn get_app(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    Path((toolkit, _)): Parts,
    request: Request,
) -> edge::Result<Response> {
    call(&service, &caller, &info, &toolkit, request, (ToolkitKind::Application, Method::Get)).await
}

/// Calls an endpoint of an application.
///
/// The body is the payload.
#[utoipa::path(
    post,
    path = "/tk/app/{toolkit}/{*path}",
    operation_id = "post_to_application",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("path" = String, Path, description = "The endpoint's path, of one or more segments."),
    ),
    request_body = Option<Object>,
    responses((status = 200, description = "What the endpoint answers, as `data`", body = Object))
)]
pub(super) async fn post_app(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    Path((toolkit, _)): Parts,
    request: Request,
) -> edge::Result<Response> {
    call(&service, &caller, &info, &toolkit, request, (ToolkitKind::Application, Method::Post)).await
}

/// Calls an endpoint of a library. The same as for applications.
#[utoipa::path(
    get,
    path = "/tk/lib/{toolkit}/{*path}",
    operation_id = "get_from_library",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("path" = String, Path, description = "The endpoint's path, of one or more segments."),
    ),
    responses((status = 200, description = "What the endpoint answers, as `data`", body = Object))
)]
pub(super) async fn get_lib(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    Path((toolkit, _)): Parts,
    request: Request,
) -> edge::Result<Response> {
    call(&service, &caller, &info, &toolkit, request, (ToolkitKind::Library, Method::Get)).await
}

/// Calls an endpoint of a library. The same as for applications.
#[utoipa::path(
    post,
    path = "/tk/lib/{toolkit}/{*path}",
    operation_id = "post_to_library",
    params(
        ("toolkit" = String, Path, description = "The toolkit's name."),
        ("path" = String, Path, description = "The endpoint's path, of one or more segments."),
    ),
    request_body = Option<Object>,
    responses((status = 200, description = "What the endpoint answers, as `data`", body = Object))
)]
pub(super) async fn post_lib(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    Path((toolkit, _)): Parts,
    request: Request,
) -> edge::Result<Response> {
    call(&service, &caller, &info, &toolkit, request, (ToolkitKind::Library, Method::Post)).await
}
