//! What can be called.

use std::collections::BTreeMap;

use kernel::ByteSize;
use serde::Deserialize;
use upstream::{HttpConfig, ProgramConfig};

/// An endpoint. In the file all its keys lie beside each other, those of [`HttpConfig`] or [`ProgramConfig`] among them.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The path below the toolkit's. `{name}` stands for one segment, `*` at the end for all the rest.
    pub path: String,
    /// The methods; `POST` alone where absent.
    #[serde(default = "post")]
    pub methods: Vec<Method>,
    /// What answers.
    #[serde(rename = "type")]
    pub kind: EndpointKind,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What becomes of the answer of a service.
    #[serde(default)]
    pub response_format: ResponseFormat,
    /// The largest body, in place of the toolkit's and the server's limit; smaller or larger.
    #[serde(default)]
    pub max_body_size: Option<ByteSize>,
    /// What callers may send.
    #[serde(default)]
    pub client_filter: ClientFilter,
    /// Queries that read, whose answers are put into `db_context` under their names. They run with the caller's rights.
    #[serde(default)]
    pub inject_db_context: Vec<String>,
    /// Whether the object that a service or program answers is the whole answer, without `success` and `data` around it.
    #[serde(default)]
    pub overwrite_wrapping: bool,
    /// Of `internal`: whose rights the queries have.
    #[serde(default)]
    pub rights: RunsAs,
    /// Of `internal`: the queries, in this order and in one transaction.
    #[serde(default)]
    pub pseudo_querys: Vec<String>,
    /// Of `internal`: the query whose answer is the answer; all of them by name where absent.
    #[serde(default)]
    pub answer: Option<String>,
    /// Its number in the file.
    #[serde(skip)]
    pub number: usize,
    /// Of `http`: the service.
    #[serde(skip)]
    pub http: Option<HttpConfig>,
    /// Of `executable`: the program.
    #[serde(skip)]
    pub program: Option<ProgramConfig>,
}

fn post() -> Vec<Method> {
    vec![Method::Post]
}

/// A method by which an endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The payload is the query string; `HEAD` asks for the same without the body.
    Get,
    /// The payload is the body.
    Post,
}

impl Method {
    /// The word of HTTP.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointKind {
    /// Queries of the toolkit, within this process.
    Internal,
    /// An HTTP service.
    Http,
    /// A program.
    Executable,
}

impl EndpointKind {
    /// The word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Http => "http",
            Self::Executable => "executable",
        }
    }
}

/// What becomes of the answer of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResponseFormat {
    /// It is JSON and becomes `data`.
    #[default]
    Json,
    /// It is passed on byte by byte, with its status and media type.
    Passthrough,
}

/// Whose rights queries have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunsAs {
    /// The caller's.
    #[default]
    Caller,
    /// The toolkit's: all columns and rows of its `tables`, and nothing else.
    Toolkit,
}

/// What callers may send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientFilter {
    /// The fields that may be there; any where absent.
    pub allowed_fields: Option<Vec<String>>,
    /// The fields that must be there, and not null.
    pub required_fields: Vec<String>,
    /// What fields must be where they are there. Parameters of a query string are turned into it.
    pub types: BTreeMap<String, FieldType>,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
}
