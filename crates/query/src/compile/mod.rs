//! From a request and the rules to statements.

pub(crate) mod compare;
pub(crate) mod condition;
pub(crate) mod plan;
pub(crate) mod scope;
pub(crate) mod select;
pub(crate) mod shape;
pub(crate) mod write;
