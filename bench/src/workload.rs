//! What is measured: the table, its rows, and the requests.

use std::ops::Range;

use rand::{RngExt as _, rngs::SmallRng};

/// How many messages there are at the start.
pub(crate) const ROWS: i64 = 100_000;
/// Lists begin here at most: further in, SQLite's own counting of skipped rows would be all that is measured.
const OFFSETS: Range<i64> = 0..1_000;

/// The table and its rows: the same statements for both servers.
pub(crate) const SCHEMA: &str = "\
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    room INTEGER NOT NULL,
    author INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO message (id, room, author, body, created_at)
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
SELECT n, n % 100 + 1, n % 1000 + 1,
       'Message ' || n || ': the stairs on the third floor are wet again, please mind your step until noon.',
       datetime(1767225600 + n, 'unixepoch')
FROM number;
";

/// What every request of a measurement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// One message by its id.
    Read,
    /// Twenty messages in the order of their ids.
    List,
    /// One new message, on disk before the answer.
    Insert,
}

/// One request of a workload, before it is put in a server's words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Read { id: i64 },
    List { offset: i64 },
    Insert { room: i64, author: i64 },
}

/// The text of every message that is inserted.
pub(crate) const BODY: &str = "The bakery on the ground floor opens at six; the smell of bread is for everybody.";

impl Workload {
    /// Every workload; the one that changes the data comes last.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::List, Self::Insert];

    /// Its name in tables and results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Insert => "insert",
        }
    }

    /// The next request.
    pub(crate) fn request(self, random: &mut SmallRng) -> Request {
        match self {
            Self::Read => Request::Read { id: random.random_range(1..=ROWS) },
            Self::List => Request::List { offset: random.random_range(OFFSETS) },
            Self::Insert => {
                Request::Insert { room: random.random_range(1..=100), author: random.random_range(1..=1_000) }
            }
        }
    }
}
