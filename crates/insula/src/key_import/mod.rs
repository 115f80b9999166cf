//! Moving old keys in: from the table or the file of another back end.
//!
//! The first look at all rows only counts what there is. The second writes down, a hundred rows a transaction, what may
//! be kept, and blanks it where it lay: in the same transaction where both are in one database, else afterwards, so that
//! whenever it is broken off each key is here or there or both. What was written is known by a keyed hash, so that
//! running again changes nothing.

pub(crate) mod class;
mod file;
mod owners;
mod report;
mod row;
mod run;
mod table;

pub(crate) use self::{
    class::Class,
    file::KeyFile,
    row::Columns,
    run::{KeyImport, Source},
    table::KeyTable,
};
