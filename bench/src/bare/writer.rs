//! The one thread that writes: whatever waits shares a commit, and nothing is answered before it is on disk.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::Deserialize;
use tokio::sync::oneshot;

const INSERT: &str = "INSERT INTO message (room, author, body) VALUES (?1, ?2, ?3)";

/// A message that somebody wants to be kept.
#[derive(Deserialize)]
pub(crate) struct Insert {
    pub(crate) room: i64,
    pub(crate) author: i64,
    pub(crate) body: String,
}

type Waiting = (Insert, oneshot::Sender<rusqlite::Result<i64>>);

/// The way to the writing thread.
pub(crate) struct Writer(Sender<Waiting>);

impl Writer {
    /// Starts the thread. With `autocommit` every insert is a commit of its own.
    pub(crate) fn start(data: &Path, autocommit: bool) -> Result<Self> {
        let connection = Connection::open(data)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let (sender, waiting) = channel();
        let limit = if autocommit { 1 } else { usize::MAX };
        thread::Builder::new().name("writer".to_owned()).spawn(move || write(connection, &waiting, limit))?;
        Ok(Self(sender))
    }

    /// Keeps a message and gives its id, once it is on disk.
    pub(crate) async fn insert(&self, insert: Insert) -> Result<i64> {
        let (done, answer) = oneshot::channel();
        self.0.send((insert, done)).ok().context("The writer has ended")?;
        Ok(answer.await.context("The writer has ended")??)
    }
}

fn write(mut connection: Connection, waiting: &Receiver<Waiting>, limit: usize) {
    let mut group = Vec::new();
    let mut answers = Vec::new();
    while let Ok(first) = waiting.recv() {
        group.extend(std::iter::once(first).chain(waiting.try_iter()).take(limit));
        match commit(&mut connection, &mut group, &mut answers) {
            Ok(()) => answers.drain(..).for_each(|(done, id)| drop(done.send(id))),
            // Those who wait learn of it by their channel's end.
            Err(error) => {
                eprintln!("A commit failed: {error}");
                group.clear();
                answers.clear();
            }
        }
    }
}

type Answered = (oneshot::Sender<rusqlite::Result<i64>>, rusqlite::Result<i64>);

fn commit(connection: &mut Connection, group: &mut Vec<Waiting>, answers: &mut Vec<Answered>) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    {
        let mut statement = transaction.prepare_cached(INSERT)?;
        for (Insert { room, author, body }, done) in group.drain(..) {
            answers.push((done, statement.insert((room, author, body))));
        }
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::{Insert, Writer};
    use crate::bare::rows;

    #[test]
    fn ids_are_given_in_order_grouped_or_not() -> anyhow::Result<()> {
        for autocommit in [false, true] {
            let folder = tempfile::tempdir()?;
            let data = folder.path().join("bare.db");
            rows::create(&data)?;
            let writer = Writer::start(&data, autocommit)?;
            let insert = |body: &str| writer.insert(Insert { room: 1, author: 1, body: body.to_owned() });
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let (one, two) = runtime.block_on(async { tokio::join!(insert("a"), insert("b")) });
            assert_eq!((one?, two?), (100_001, 100_002));
        }
        Ok(())
    }
}
