//! Answers that are mostly known at once.

use std::future::{Ready, ready};

use futures_util::future::Either;

use crate::BoxFuture;

/// An answer that mostly is known at once, and then takes no memory of its own; else one that is waited for.
pub type Soon<'a, T> = Either<Ready<T>, BoxFuture<'a, T>>;

/// An answer that is known.
pub fn now<'a, T>(answer: T) -> Soon<'a, T> {
    Either::Left(ready(answer))
}

/// An answer that is waited for.
pub fn later<'a, T>(work: impl Future<Output = T> + Send + 'a) -> Soon<'a, T> {
    Either::Right(Box::pin(work))
}
