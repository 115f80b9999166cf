//! `POST /query`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo, Result};

use super::{answer, audited::Audited};
use crate::{
    Service,
    request::{Query, QueryRequest},
};

/// Reads and writes the tenant's tables.
///
/// One statement, or a batch of statements of one action on one table in one transaction. What the caller may not
/// see does not exist for the caller; columns that were left out and limits that were cut are told in `warning`.
#[utoipa::path(
    post,
    path = "/query",
    tag = "query",
    request_body = QueryRequest,
    responses((status = 200, description = "Rows, a number, or what was written", body = answer::QueryAnswer))
)]
pub(super) async fn query(
    State(service): State<Arc<Service>>,
    caller: Caller,
    info: RequestInfo,
    Json(request): Json<Box<QueryRequest>>,
) -> Result<Answer> {
    let query = Query::try_from(*request)?;
    let audited = Audited::begin(&query);
    let outcome = service.query(&caller.0, info.id, &query).await;
    audited.record(&outcome);
    Ok(answer::write(outcome?, info.id))
}
