//! Reads, by the plan of their shape where they were compiled before.

use std::sync::{Arc, atomic::Ordering};

use kernel::Result;
use serde_json::Value as Json;

use crate::{
    Outcome,
    compile::{
        plan::{Marks, Plan, Request},
        select::{self, Limits, Select},
        shape::Shape,
    },
    request::{Action, Item, Query},
    rules::{Environment, Kept, Members},
    run::first_number,
    service::{Room, scope},
};

/// Runs a single read.
pub(crate) async fn read(
    room: &Room,
    environment: Environment<'_>,
    query: &Query,
    item: &Item,
    limits: &Limits,
) -> Result<Outcome> {
    let shape = Shape::of(query.action, &query.table, item, limits);
    let plan = if let Some(Kept::Read(plan)) = room.rights.plan(&shape.key) {
        plan
    } else {
        let plan = Arc::new(plan(room, &environment, query, item, limits, &shape.values)?);
        // A list of members is as it is at this moment.
        if matches!(environment.members, Members::Table(_)) {
            room.rights.keep_plan(shape.key, Kept::Read(Arc::clone(&plan)));
        }
        plan
    };
    let statement = plan.fill(&Request { values: &shape.values, environment: &environment, item, limits })?;
    drop(environment);
    let database = &room.open.data;
    if query.action == Action::Count {
        return Ok(Outcome::Count(first_number(&database.run(statement).await?)?));
    }
    let rows = database.run_json(statement, &plan.columns, plan.size.load(Ordering::Relaxed)).await?;
    plan.size.store(rows.bytes.len(), Ordering::Relaxed);
    Ok(Outcome::Rows(rows, plan.warnings.clone()))
}

/// Compiles a read for all requests of its shape.
fn plan(
    room: &Room,
    environment: &Environment<'_>,
    query: &Query,
    item: &Item,
    limits: &Limits,
    values: &[&Json],
) -> Result<Plan> {
    let marking = environment.marking(values);
    let scope = scope(room, &marking, query, item)?;
    let (statement, columns, warnings) = if query.action == Action::Count {
        (select::count(&scope, item, limits)?, Arc::default(), Vec::new())
    } else {
        let Select { statement, columns, warnings } = select::select(&scope, item, limits)?;
        (statement, columns, warnings)
    };
    drop(scope);
    let marks = marking.marks.unwrap_or_else(|| Marks::new(&[]));
    let plan = Plan::new(environment.dialect, &statement, marks, columns, warnings);
    Ok(if query.action == Action::Select { plan.limited(select::offset_of(item)?.is_some()) } else { plan })
}
