//! Programs of other rooms: queries that are asked one after the other, in one transaction.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kernel::{
    Authenticated, BoxFuture, DataApi, Error, Principal, Program, Reason, RequestId, Result, time::Timestamp,
};
use serde_json::Value as Json;
use store::Transaction;

use crate::{
    Service,
    compile::select::Limits,
    request::{Item, Query, QueryRequest, Work},
    routes::{answer, audited::AuditedWrite},
    rules::{Environment, Members},
    run,
    sequence::Sequences,
    service::{self, Room},
};

/// Queries that one program may ask.
const MOST_QUERIES: usize = 1_000;

impl DataApi for Service {
    fn transact<'a>(
        &'a self,
        caller: &'a Authenticated,
        request: RequestId,
        program: Arc<dyn Program>,
    ) -> BoxFuture<'a, Result<Vec<Json>>> {
        Box::pin(self.run_program(caller, request, program))
    }
}

/// A program with all that its queries are compiled with.
struct Session {
    room: Room,
    principal: Arc<Principal>,
    request: RequestId,
    now: Timestamp,
    members: Members,
    limits: Limits,
    sequences: Arc<Sequences>,
    program: Arc<dyn Program>,
    /// Set where the program asked for a write while it could only read.
    writes: AtomicBool,
}

impl Service {
    async fn run_program(
        &self,
        caller: &Authenticated,
        request: RequestId,
        program: Arc<dyn Program>,
    ) -> Result<Vec<Json>> {
        let room = self.room(caller).await?;
        let session = self.session(room, caller, request, &program).await?;
        let Played { answers, writes } = match Arc::clone(&session).run().await {
            Err(error) => {
                let room = self.room_after(&session.room, caller, error).await?;
                self.session(room, caller, request, &program).await?.run().await?
            }
            Ok(played) => played,
        };
        for write in writes {
            write.record(caller, request);
        }
        Ok(answers)
    }

    async fn session(
        &self,
        room: Room,
        caller: &Authenticated,
        request: RequestId,
        program: &Arc<dyn Program>,
    ) -> Result<Arc<Session>> {
        Ok(Arc::new(Session {
            members: service::members(&room).await?,
            limits: self.limits(caller).await?,
            sequences: Sequences::of(&room.open),
            principal: Arc::clone(&caller.principal),
            now: kernel::time::now(),
            program: Arc::clone(program),
            writes: AtomicBool::new(false),
            request,
            room,
        }))
    }
}

/// What came of a program.
#[derive(Default)]
struct Played {
    answers: Vec<Json>,
    /// What the audit log is to be told once it is committed.
    writes: Vec<AuditedWrite>,
}

impl Session {
    /// Runs it as a mere reader as long as it asks for no write, and from the beginning as a writer if it does.
    async fn run(self: Arc<Self>) -> Result<Played> {
        let Some(first) = self.program.next(&[])? else { return Ok(Played::default()) };
        let database = &self.room.open.data;
        if self.parse(&first)?.0.action.reads() {
            let session = Arc::clone(&self);
            let read = database
                .snapshot(move |transaction| {
                    let session = Arc::clone(&session);
                    Box::pin(async move { session.play(transaction, true).await })
                })
                .await;
            if !self.writes.load(Ordering::Relaxed) {
                return Ok(read?);
            }
        }
        let context = service::context(&self.principal, self.request);
        let write = || {
            let session = Arc::clone(&self);
            database.transaction(&context, move |transaction| {
                let session = Arc::clone(&session);
                Box::pin(async move { session.play(transaction, false).await })
            })
        };
        Ok(self.sequences.supply(&context, write).await?)
    }

    /// Asks the program for query after query and tells it the answers.
    async fn play(&self, transaction: &mut Transaction<'_>, reading: bool) -> store::Result<Played> {
        let mut taker = self.sequences.begin();
        let mut played = Played::default();
        while let Some(query) = self.program.next(&played.answers)? {
            if played.answers.len() == MOST_QUERIES {
                return Err(Error::internal(format!("a program asked more than {MOST_QUERIES} queries")).into());
            }
            let (query, item) = self.parse(&query)?;
            if reading && !query.action.reads() {
                self.writes.store(true, Ordering::Relaxed);
                return Err(Error::internal("a program that only read begins to write").into());
            }
            let prepared = service::prepare(&self.room, &self.environment(), &query, &item, &self.limits)?;
            let outcome = run::with_all(transaction, &mut taker, &prepared).await?;
            played.answers.push(answer::object(&outcome)?);
            played.writes.extend(AuditedWrite::of(&query, &outcome));
        }
        Ok(played)
    }

    /// Reads a query as the body of a request, which the caller must be able to send.
    fn parse(&self, query: &Json) -> Result<(Query, Item)> {
        let text = serde_json::to_vec(query).map_err(Error::internal)?;
        let edge::Json(request) = edge::Json::<QueryRequest>::parse(&text)?;
        if request.queries.is_some() {
            return Err(Error::new(Reason::BatchInvalid, "A program has no batches").at("queries"));
        }
        if request.explain.is_some() {
            return Err(Error::new(Reason::FieldInvalid, "A program is not explained").at("explain"));
        }
        let query = Query::try_from(request)?;
        // A toolkit that acts with its own rights needs no ability, and no scope of the key that called it.
        if !self.room.rights.group.is_toolkit() {
            self.principal.require(query.action.ability())?;
        }
        match &query.work {
            Work::Single(item) => Ok((query.clone(), Item::clone(item))),
            Work::Batch { .. } => Err(Error::plain(Reason::BatchInvalid).at("queries")),
        }
    }

    fn environment(&self) -> Environment<'_> {
        let dialect = self.room.open.data.dialect();
        let members = self.members.clone();
        Environment { principal: &self.principal, request: self.request, now: self.now, dialect, members, marks: None }
    }
}
