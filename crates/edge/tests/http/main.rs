//! The edge from outside: whole answers to whole requests, with a directory, an authenticator and a feature that are
//! made for the tests.

mod bodies;
mod cors;
mod documents;
mod hostile;
mod hosts;
mod limits;
mod logs;
mod rooms;
mod sockets;
mod stage;
mod walk;
