//! What a call of an endpoint means.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use edge::{Answer, AsItIs, RequestInfo};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use kernel::{Authenticated, DataApi, Error, LogContext, Reason, RequestId, Result, Tenant, ability};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};
use upstream::Call;

use crate::{
    audited::Audited,
    context::Context,
    file::{Method, RunsAs, ToolkitKind},
    filter::{self, PATH},
    internal, matching,
    places::Place,
    reading::Mistake,
    registry::Registry,
    toolkit::{Endpoint, Found, Missing, Toolkit, Work},
};

/// The largest answer that the command line takes, in bytes.
const MOST_HERE: usize = 64 << 20;

/// The toolkits of all tenants, as they are called.
pub struct Service {
    pub(crate) registry: Arc<Registry>,
    pub(crate) data: Arc<dyn DataApi>,
}

/// A request to an endpoint.
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Authenticated,
    pub(crate) info: &'a RequestInfo,
    /// The part of the address space; none on the command line, which has no such parts.
    pub(crate) kind: Option<ToolkitKind>,
    pub(crate) toolkit: &'a str,
    /// The rest of the path as it came.
    pub(crate) path: &'a str,
    pub(crate) method: Method,
}

/// What comes with a request once it is clear who gets it.
pub(crate) enum Payload {
    /// A request whose body is not read yet.
    Request(Request),
    /// A payload from the command line.
    Given(Map<String, Value>),
}

/// An endpoint that the caller may call.
struct Way<'t> {
    toolkit: &'t Toolkit,
    endpoint: &'t Endpoint,
    values: BTreeMap<String, String>,
    place: Arc<Place>,
}

/// What an endpoint answers.
pub(crate) enum Told {
    /// `data`, and what was left out or cut.
    Data(Value, Option<String>),
    /// The text of a service or a program, which becomes `data`, or the whole answer.
    Text(Box<RawValue>, bool),
    /// An answer that is passed on.
    Foreign(Response),
}

impl Service {
    /// The endpoints of the toolkits, whose queries the data API runs.
    pub fn new(registry: Arc<Registry>, data: Arc<dyn DataApi>) -> Arc<Self> {
        Arc::new(Self { registry, data })
    }

    /// Checks the files of a tenant as they are now, without putting them into force. Errors: the folder cannot be read.
    pub async fn check(&self, tenant: &Tenant) -> Result<Vec<Mistake>> {
        self.registry.check(tenant).await
    }

    /// Answers a call and writes down that there was one.
    ///
    /// Errors, all with the endpoint: 403 `ability_missing`, 404 `toolkit_unknown`, `endpoint_unknown`, 405, 403
    /// `endpoint_denied`, 413, 400, and those of what answers. A refusal of a method is a good answer of status 405, so
    /// that it can name the methods there are.
    pub(crate) async fn call(&self, asked: &Asked<'_>, payload: Payload) -> Result<Response> {
        let mut audited = Audited::begin(asked);
        let outcome = self.answer(asked, payload, &mut audited.name).await;
        let name = audited.record(&outcome);
        outcome.map_err(|error| error.of_endpoint(name))
    }

    /// Calls an endpoint within this process, as the command line does; `path` is the endpoint's below the toolkit's.
    ///
    /// The answer is its media type, where it has one, and its body. Errors: those of a request, and 413 where the answer
    /// is larger than 64MB.
    pub async fn call_here(
        &self,
        caller: &Authenticated,
        method: Method,
        (toolkit, path): (&str, &str),
        payload: Map<String, Value>,
    ) -> Result<(Option<String>, Bytes)> {
        let client = std::net::Ipv4Addr::LOCALHOST.into();
        let info = RequestInfo { id: RequestId::now(), client, secure: false, user_agent: None };
        let asked = Asked { caller, info: &info, kind: None, toolkit, path, method };
        let response = self.call(&asked, Payload::Given(payload)).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(Error::plain(Reason::MethodNotAllowed));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let body = axum::body::to_bytes(response.into_body(), MOST_HERE).await;
        let large = |error| Error::new(Reason::BodyTooLarge, "The answer is too large, or it broke off").because(error);
        Ok((kind, body.map_err(large)?))
    }

    async fn answer(&self, asked: &Asked<'_>, payload: Payload, name: &mut String) -> Result<Response> {
        asked.caller.principal.require(ability::TOOLKITS_CALL)?;
        let terms = self.registry.terms(&asked.caller.tenant).await?;
        // Toolkit, prefix, path, method, permission.
        let toolkit =
            terms.toolkit(asked.toolkit).filter(|toolkit| asked.kind.is_none_or(|kind| toolkit.file.kind == kind));
        let toolkit = toolkit.ok_or_else(|| Error::plain(Reason::ToolkitUnknown))?;
        let unknown = || Error::plain(Reason::EndpointUnknown);
        let path = matching::segments(asked.path).ok_or_else(unknown)?;
        let found = match toolkit.find(&path, asked.method) {
            Ok(found) => found,
            Err(Missing::Path) => return Err(unknown()),
            Err(Missing::Method(methods)) => return Ok(wrong_method(&methods, name)),
        };
        let Found { endpoint, values } = found;
        *name = format!("{}/{}", toolkit.file.name, endpoint.pattern.text);
        if let Some(log) = LogContext::current() {
            log.set_endpoint(name);
        }
        let place = terms.place(toolkit, &asked.caller.principal);
        let place = place.filter(|place| place.permits(&endpoint.pattern.text, &path.join("/")));
        let place = place.ok_or_else(|| Error::plain(Reason::EndpointDenied))?;
        let way = Way { toolkit, endpoint, values, place };
        let told = self.go(asked, &way, payload).await?;
        Ok(told.into_response())
    }

    /// Body, filter, what is read before, context, and the work itself.
    async fn go(&self, asked: &Asked<'_>, way: &Way<'_>, payload: Payload) -> Result<Told> {
        let (headers, query, mut payload) = read(asked, way, payload).await?;
        let typed = asked.method == Method::Get;
        way.endpoint.file.client_filter.check(&mut payload, typed)?;
        if !way.values.is_empty() {
            payload.insert(PATH.to_owned(), json!(way.values));
        }
        let group = Some(way.place.name.clone());
        let mut context = Context::new(&asked.caller.principal, group, asked.info.id, payload);
        let before = &way.endpoint.db_context;
        if !before.is_empty() {
            let ran = internal::run(&*self.data, asked.caller, asked.info.id, before, &context).await?;
            context.db_context = ran.results;
        }
        match &way.endpoint.work {
            Work::Internal { steps, answer } => {
                let own = match way.endpoint.file.rights {
                    RunsAs::Caller => None,
                    RunsAs::Toolkit => Some(internal::acting(asked.caller, &way.toolkit.acting)),
                };
                let caller = own.as_ref().unwrap_or(asked.caller);
                let mut ran = internal::run(&*self.data, caller, asked.info.id, steps, &context).await?;
                let data = match answer {
                    Some(index) => ran.results.shift_remove(&steps[*index].name).unwrap_or_default(),
                    None => Value::Object(ran.results),
                };
                Ok(Told::Data(data, ran.warning))
            }
            Work::Http { service, .. } => {
                let call = Call {
                    path: &way.values,
                    context: written(&context)?,
                    query: query.as_deref().filter(|_| typed),
                    headers: &headers,
                    request_id: asked.info.id.as_str(),
                };
                if way.endpoint.is_passthrough() {
                    return Ok(Told::Foreign(service.passthrough(call).await?.map(Body::new)));
                }
                text(service.json(call).await?, way, "The service did not answer an object")
            }
            Work::Program { program, .. } => {
                let printed = program.run(written(&context)?, asked.info.id.as_str()).await?;
                text(printed, way, "The program did not answer an object")
            }
        }
    }
}

/// The headers and the query string of a request, and its payload: the query string of GET, the body of POST.
async fn read(
    asked: &Asked<'_>,
    way: &Way<'_>,
    payload: Payload,
) -> Result<(HeaderMap, Option<String>, Map<String, Value>)> {
    let request = match payload {
        Payload::Given(payload) => return Ok((HeaderMap::new(), None, payload)),
        Payload::Request(request) => request,
    };
    let (headers, query) = (request.headers().clone(), request.uri().query().map(str::to_owned));
    let payload = match asked.method {
        Method::Get => filter::pairs(query.as_deref().unwrap_or_default())?,
        Method::Post => edge::read_json(request, way.toolkit.max_body_size(way.endpoint)).await?.unwrap_or_default(),
    };
    Ok((headers, query, payload))
}

/// What a service or a program answers, which must be an object where it is the whole answer.
fn text(text: Box<RawValue>, way: &Way<'_>, problem: &'static str) -> Result<Told> {
    let whole = way.endpoint.file.overwrite_wrapping;
    if whole && !text.get().starts_with('{') {
        return Err(Error::new(Reason::UpstreamInvalid, problem));
    }
    Ok(Told::Text(text, whole))
}

fn written(context: &Context) -> Result<Bytes> {
    serde_json::to_vec(context).map(Bytes::from).map_err(Error::internal)
}

fn wrong_method(methods: &[Method], name: &str) -> Response {
    let error = Error::plain(Reason::MethodNotAllowed).of_endpoint(name);
    let mut response = edge::Failure::from(error).into_response();
    let mut words: Vec<_> = methods.iter().map(|method| method.word()).collect();
    if methods.contains(&Method::Get) {
        words.push("HEAD");
    }
    if let Ok(allow) = HeaderValue::from_str(&words.join(", ")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// What is around `data`.
#[derive(Serialize)]
struct Wrapped<T> {
    data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        match self {
            Self::Data(data, warning) => Answer::ok(Wrapped { data, warning }).into_response(),
            Self::Text(text, false) => Answer::ok(Wrapped { data: text, warning: None }).into_response(),
            Self::Text(text, true) => Answer::raw(Bytes::from(String::from(Box::<str>::from(text)))).into_response(),
            Self::Foreign(response) => AsItIs(response).into_response(),
        }
    }
}
