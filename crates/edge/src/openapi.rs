//! The OpenAPI document: what the edge adds to what features say of their routes.

use http::StatusCode;
use utoipa::{
    Modify, OpenApi as _, ToSchema,
    openapi::{
        Components, Content, OpenApi, RefOr, Response,
        path::{Operation, PathItem},
        schema::{AllOfBuilder, Ref, Schema},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
        server::{ServerBuilder, ServerVariableBuilder},
    },
};

use crate::{
    failure::{Envelope, TooManyRequests},
    token,
};

const REFUSED: &str = "Refused";
const LIMITED: &str = "TooManyRequests";
const BEARER: &str = "bearer";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Insula API",
        description = "Every answer is JSON with `success`; a refusal has a stable `reason`. Every answer carries the \
                       header `X-Request-Id`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Envelope, Success, TooManyRequests)),
    modifiers(&Shared)
)]
struct Base;

struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("A session's token, from `POST /auth/login`.".to_owned());
        components.security_schemes.insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
        let description = "A session's cookie on `assets.` hosts, from `POST /session`.";
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(token::COOKIE_NAME, description));
        components.security_schemes.insert("cookie".to_owned(), RefOr::T(SecurityScheme::ApiKey(cookie)));
        let json = |description: &str, schema: &str| {
            let mut response = Response::new(description);
            let content = Content::new(Some(Ref::from_schema_name(schema)));
            response.content.insert("application/json".to_owned(), RefOr::T(content));
            RefOr::T(response)
        };
        components.responses.insert(REFUSED.to_owned(), json("Refused or failed; `reason` says why.", "Envelope"));
        components.responses.insert(LIMITED.to_owned(), json("Too many requests.", "TooManyRequests"));
        document.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    }
}

/// The document before any feature: title, version, licence, the shared schemas and the security scheme.
pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

/// What every answer to a request that went well has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; answers write it themselves")]
struct Success {
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

fn reason_phrase(status: u16) -> Option<&'static str> {
    StatusCode::from_u16(status).ok()?.canonical_reason()
}

/// Gives operations that have no tag this one.
pub(crate) fn tag(document: &mut OpenApi, tag: &str) {
    for operation in operations(document) {
        if operation.tags.as_ref().is_none_or(Vec::is_empty) {
            operation.tags = Some(vec![tag.to_owned()]);
        }
    }
}

/// Names the hosts of operations that are not on `api.` hosts.
pub(crate) fn on_assets_hosts(document: &mut OpenApi) {
    let domain = ServerVariableBuilder::new().default_value("example.com").description(Some("The tenant's domain."));
    let server = ServerBuilder::new().url("https://assets.{domain}").parameter("domain", domain).build();
    for operation in operations(document) {
        operation.servers = Some(vec![server.clone()]);
    }
}

/// Adds what is the same for every operation: the answers that any may give, and `success` in the good ones.
pub(crate) fn complete(document: &mut OpenApi) {
    // The document has no word for the rest of a path.
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    let schemas = document.components.as_ref().map(|components| components.schemas.clone()).unwrap_or_default();
    let says_success = |schema: &RefOr<Schema>| {
        let found = match schema {
            RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().and_then(|name| schemas.get(name)),
            schema @ RefOr::T(_) => Some(schema),
        };
        matches!(found, Some(RefOr::T(Schema::Object(object))) if object.properties.contains_key("success"))
    };
    for operation in operations(document) {
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            if response.description.is_empty() {
                let phrase = status.parse().ok().and_then(reason_phrase).unwrap_or("Answer");
                phrase.clone_into(&mut response.description);
            }
            if let Some(RefOr::T(Content { schema: Some(schema), .. })) = response.content.get_mut("application/json")
                && status.starts_with('2')
                && !says_success(schema)
            {
                let success = Ref::from_schema_name("Success");
                *schema = AllOfBuilder::new().item(success).item(schema.clone()).into();
            }
        }
        for (status, response) in [("429", LIMITED), ("default", REFUSED)] {
            let reference = || RefOr::Ref(Ref::from_response_name(response));
            operation.responses.responses.entry(status.to_owned()).or_insert_with(reference);
        }
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, delete, options, head, patch, trace, query, .. } = item;
        [get, put, post, delete, options, head, patch, trace, query].into_iter().flatten()
    })
}
