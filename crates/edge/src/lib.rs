//! The HTTP edge: what happens to a request before a feature sees it and to an answer after the feature wrote it.
//!
//! The module `walk` states the order. A feature crate hands in [`Routes`] and writes handlers of the form
//! `async fn(Caller, Json<T>) -> edge::Result`; everything else is done here, once, for all of them.

mod activity;
pub mod address;
mod answer;
mod app;
mod body;
mod config;
mod context;
mod cors;
mod cut_off;
mod docs;
mod extract;
mod failure;
mod health;
mod home;
pub mod host;
pub mod limit;
mod metric;
mod openapi;
mod patience;
mod resolve;
mod scan;
mod serve;
mod token;
mod untyped;
mod walk;

pub use activity::Activity;
pub use answer::{Answer, AsItIs};
pub use app::{App, Edge, Rooms, app};
pub use body::{Json, OptionalJson, read_json};
pub use config::{EdgeConfig, RateLimitConfig};
pub use cut_off::{CUT_OFF, tell_if_cut_off};
pub use extract::{Bearer, Caller, HostName, MaybeCaller, OwnOrigin, Path, Query, RequestInfo, Site};
pub use failure::{Envelope, Failure, Result};
pub use serve::serve;
pub use token::{clear_cookie, set_cookie};

/// Routes of a feature with their OpenAPI. State is already applied by the feature with `.with_state(..)`.
pub type Routes = utoipa_axum::router::OpenApiRouter;
