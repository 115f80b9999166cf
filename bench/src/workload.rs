//! What is measured: the operations that make up each workload, before they are put in a server's words.

use rand::{RngExt as _, rngs::SmallRng};

/// How many messages each table has at the start.
pub(crate) const ROWS: i64 = 100_000;
/// Rows of a list.
pub(crate) const PAGE: i64 = 20;
/// Lists begin on one of so many pages: further in, the counting of skipped rows would be all that is measured.
const PAGES: i64 = 50;
/// Of one's own there are 100 messages; among those of one's rooms a page further in costs ten times its rows.
const NARROW_PAGES: i64 = 5;
/// So many rooms a user is a member of.
const ROOMS_OF_ONE: i64 = 10;
/// Messages of one bulk insert.
pub(crate) const BULK: usize = 100;
/// The users whose sessions ask, in turn over the connections.
pub(crate) const CALLERS: usize = 16;
/// The text of every message that is inserted.
pub(crate) const BODY: &str = "The bakery on the ground floor opens at six; the smell of bread is for everybody.";

/// One of the users who ask: from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) usize);

impl Caller {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..CALLERS).map(Self)
    }

    /// The user's number; 1 is the administrator.
    pub(crate) const fn user(self) -> i64 {
        self.0 as i64 + 2
    }

    /// The user's name.
    pub(crate) fn name(self) -> String {
        format!("user{}", self.user())
    }

    /// The user's e-mail address.
    pub(crate) fn email(self) -> String {
        format!("{}@bench.test", self.name())
    }

    /// One of the rooms that the user is a member of: those whose number ends as the user's does.
    pub(crate) const fn room(self, which: i64) -> i64 {
        which % ROOMS_OF_ONE * 10 + (self.user() - 1) % 10 + 1
    }

    /// A room that the user is no member of.
    pub(crate) const fn foreign_room(self) -> i64 {
        self.user() % 10 + 1
    }
}

/// Which rows a list may show, and by which table it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// All, to whoever is logged in.
    None,
    /// Those that the caller wrote.
    Owner,
    /// Those in the rooms that the caller is a member of.
    Member,
}

impl Rule {
    /// Every rule.
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Owner, Self::Member];

    /// The table that the rule is on; they hold the same rows.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::None => "message",
            Self::Owner => "message_own",
            Self::Member => "message_room",
        }
    }
}

/// What every request of a measurement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// One message by its id.
    Read,
    /// Twenty messages in the order of their ids.
    List,
    /// Twenty of the caller's own messages.
    ListOwn,
    /// Twenty messages of the rooms that the caller is a member of.
    ListMember,
    /// `list`, and how many there are in all.
    ListCount,
    /// `list-own`, and how many there are in all.
    ListOwnCount,
    /// `list-member`, and how many there are in all.
    ListMemberCount,
    /// One new message in a room that its author is a member of, on disk before the answer.
    Insert,
    /// One message with the name of its room.
    Join,
    /// A hundred new messages at once.
    Bulk,
}

/// One operation of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read { id: i64 },
    List { rule: Rule, offset: i64, count: bool },
    Insert { room: i64 },
    Join { id: i64 },
    Bulk { room: i64 },
}

impl Workload {
    /// Those on SQLite; the one that changes the data comes last.
    pub(crate) const CHAT: [Self; 8] = [
        Self::Read,
        Self::List,
        Self::ListOwn,
        Self::ListMember,
        Self::ListCount,
        Self::ListOwnCount,
        Self::ListMemberCount,
        Self::Insert,
    ];

    /// Those on PostgreSQL; the one that changes the data comes last.
    pub(crate) const POSTGRES: [Self; 3] = [Self::Read, Self::Join, Self::Bulk];

    /// Its name in tables and results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::ListOwn => "list-own",
            Self::ListMember => "list-member",
            Self::ListCount => "list-count",
            Self::ListOwnCount => "list-own-count",
            Self::ListMemberCount => "list-member-count",
            Self::Insert => "insert",
            Self::Join => "join",
            Self::Bulk => "bulk",
        }
    }

    /// The next operation of a caller.
    pub(crate) fn operation(self, caller: Caller, random: &mut SmallRng) -> Operation {
        let mut list = |rule, pages, count| {
            let offset = PAGE * random.random_range(0..pages);
            Operation::List { rule, offset, count }
        };
        match self {
            Self::Read => Operation::Read { id: random.random_range(1..=ROWS) },
            Self::List => list(Rule::None, PAGES, false),
            Self::ListOwn => list(Rule::Owner, NARROW_PAGES, false),
            Self::ListMember => list(Rule::Member, NARROW_PAGES, false),
            Self::ListCount => list(Rule::None, PAGES, true),
            Self::ListOwnCount => list(Rule::Owner, NARROW_PAGES, true),
            Self::ListMemberCount => list(Rule::Member, NARROW_PAGES, true),
            Self::Insert => Operation::Insert { room: caller.room(random.random_range(0..ROOMS_OF_ONE)) },
            Self::Join => Operation::Join { id: random.random_range(1..=ROWS) },
            Self::Bulk => Operation::Bulk { room: caller.room(random.random_range(0..ROOMS_OF_ONE)) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn callers_are_members_of_the_rooms_whose_last_digit_they_share() {
        for caller in Caller::all() {
            for which in 0..10 {
                let room = caller.room(which);
                assert!((1..=100).contains(&room) && room % 10 == caller.user() % 10, "{caller:?} {room}");
            }
            assert_ne!(caller.foreign_room() % 10, caller.user() % 10);
        }
    }
}
