//! Inserts of one row, by the plan of their shape where they were compiled before.

use std::sync::Arc;

use kernel::{Result, WriteContext};
use store::Change;

use crate::{
    Outcome,
    compile::{
        plan::{InsertPlan, Marks, Request},
        select::Limits,
        shape::Shape,
        write::{self, Write},
    },
    request::{Item, Query},
    rules::{Environment, Kept, Members},
    run::{self, written},
    service::{Prepared, Room, scope},
};

/// Runs an insert of one row.
pub(crate) async fn insert(
    room: &Room,
    context: &WriteContext,
    environment: Environment<'_>,
    query: &Query,
    item: &Item,
    limits: &Limits,
) -> Result<Outcome> {
    let shape = Shape::of_insert(&query.table, item, environment.principal.user().is_some());
    let plan = if let Some(Kept::Insert(plan)) = room.rights.plan(&shape.key) {
        plan
    } else if let Some(plan) = plan(room, &environment, query, item, &shape)? {
        let plan = Arc::new(plan);
        // A list of members is as it is at this moment.
        if matches!(environment.members, Members::Table(_)) {
            room.rights.keep_plan(shape.key, Kept::Insert(Arc::clone(&plan)));
        }
        plan
    } else {
        let write = write::insert(&scope(room, &environment, query, item)?, item)?;
        return Box::pin(run::single(&room.open, context, Prepared::Write(write))).await;
    };
    let change = plan.fill(&Request { values: &shape.values, environment: &environment, item, limits })?;
    drop(environment);
    let applied = room.open.data.write(context, change).await?;
    Ok(written(&plan.table, &applied, 0, applied.rows, Vec::new(), plan.warnings.clone()))
}

/// Compiles an insert for all requests of its shape; none where a toolkit fills in columns, anew each time.
fn plan(
    room: &Room,
    environment: &Environment<'_>,
    query: &Query,
    item: &Item,
    shape: &Shape<'_>,
) -> Result<Option<InsertPlan>> {
    let marking = environment.marking(&shape.values);
    let scope = scope(room, &marking, query, item)?;
    if !scope.target().access.generated.is_empty() {
        return Ok(None);
    }
    let Write { change, warnings, .. } = write::insert(&scope, item)?;
    drop(scope);
    let Change::Insert(insert) = change else { return Ok(None) };
    let marks = marking.marks.unwrap_or_else(|| Marks::new(&[]));
    Ok(Some(InsertPlan::new(insert.build()?, marks, warnings)))
}
