//! Queries of the toolkit, run one after the other in one transaction.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kernel::{
    Authenticated, Credential, DataApi, Error, Group, Principal, Program, RequestId, Result, ability, time::Timestamp,
};
use serde_json::{Map, Value};

use crate::{
    context::Context,
    placeholder::{Known, Scope},
    query::PreparedQuery,
};

/// Queries of one call.
struct Run {
    steps: Vec<Arc<PreparedQuery>>,
    context: Context,
    now: Timestamp,
    /// The query that was asked last, so that an error can be told in the words of the payload.
    last: AtomicUsize,
}

impl Program for Run {
    fn next(&self, answers: &[Value]) -> Result<Option<Value>> {
        if let Some(last) = answers.len().checked_sub(1) {
            self.steps[last].require(&answers[last])?;
        }
        let Some(step) = self.steps.get(answers.len()) else { return Ok(None) };
        self.last.store(answers.len(), Ordering::Relaxed);
        let known: Vec<_> =
            self.steps.iter().zip(answers).map(|(step, answer)| Known { name: &step.name, answer }).collect();
        let scope = Scope { context: &self.context, now: self.now, answers: &known };
        step.build(&|source, slot| source.value(slot, &scope)).map(Some)
    }
}

/// What came of queries: each answer under its query's name, and what was left out or cut.
pub(crate) struct Ran {
    pub(crate) results: Map<String, Value>,
    pub(crate) warning: Option<String>,
}

/// Runs queries as a caller, all or none.
///
/// Errors: those of `POST /query`, with fields named as the payload has them; 409 `step_refused`.
pub(crate) async fn run(
    data: &dyn DataApi,
    caller: &Authenticated,
    request: RequestId,
    steps: &[Arc<PreparedQuery>],
    context: &Context,
) -> Result<Ran> {
    let run = Arc::new(Run {
        steps: steps.to_vec(),
        context: context.clone(),
        now: kernel::time::now(),
        last: AtomicUsize::new(0),
    });
    let answers = data.transact(caller, request, Arc::clone(&run) as Arc<dyn Program>).await;
    let answers = answers.map_err(|error| in_words_of_the_payload(error, &run))?;
    let mut results = Map::new();
    let mut warnings = Vec::new();
    for (step, answer) in steps.iter().zip(&answers) {
        warnings.extend(answer.get("warning").and_then(Value::as_str).map(|text| format!("{}: {text}", step.name)));
        results.insert(step.name.clone(), step.result(answer));
    }
    Ok(Ran { results, warning: (!warnings.is_empty()).then(|| warnings.join("; ")) })
}

/// A field of a query means nothing to whoever sent the payload.
fn in_words_of_the_payload(mut error: Error, run: &Run) -> Error {
    let step = &run.steps[run.last.load(Ordering::Relaxed)];
    if let Some(field) = error.field.as_deref().and_then(|field| step.origin(field)) {
        error.field = Some(field);
    }
    error
}

/// The caller with the rights of a toolkit in place of the own: who it is stays, so that system columns tell.
pub(crate) fn acting(caller: &Authenticated, group: &Arc<Group>) -> Authenticated {
    let mut principal = Principal::clone(&caller.principal);
    principal.group = Arc::clone(group);
    principal.toolkit_overrides = Arc::default();
    if let Credential::Key(key) = &mut principal.credential {
        key.scopes = data_abilities();
    }
    Authenticated { tenant: Arc::clone(&caller.tenant), principal: Arc::new(principal) }
}

/// The names of what queries need.
pub(crate) fn data_abilities() -> Vec<String> {
    [ability::DATA_READ, ability::DATA_INSERT, ability::DATA_UPDATE, ability::DATA_DELETE]
        .map(|ability| ability.name.to_owned())
        .to_vec()
}
