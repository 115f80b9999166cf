//! `GET /`: what this server is.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Answer, Routes};

/// What this server is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Home {
    /// The server's name.
    #[schema(example = "Insula")]
    name: String,
    /// The program's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The specification that the data API follows.
    #[schema(example = "JsonDerulo")]
    spec: &'static str,
    /// The version of that specification.
    #[schema(example = "2.0")]
    spec_version: &'static str,
    /// The git commit that was built.
    build: &'static str,
}

pub(crate) fn routes(name: &str, build: &'static str) -> Routes {
    let home = Home {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        spec: "JsonDerulo",
        spec_version: "2.0",
        build,
    };
    OpenApiRouter::new().routes(routes!(home_page)).with_state(Arc::new(home))
}

/// What this server is.
#[utoipa::path(get, path = "/", operation_id = "home", security(()), responses((status = 200, body = Home)))]
async fn home_page(State(home): State<Arc<Home>>) -> Answer {
    Answer::ok(&*home)
}
