//! The body of an answer that is handed on piece by piece, as it comes and as fast as it is wanted.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use kernel::{ByteSize, Error, Span};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};

use super::failure::Failure;

/// The body of a service's answer. An error in it says that the answer is not whole, so that the connection it is
/// written to must be broken off. Dropping it ends the call.
pub struct BodyStream {
    inner: Incoming,
    /// What is left of the largest size.
    limit: Option<(ByteSize, u64)>,
    silence: Span,
    /// Runs while nothing comes.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    host: Box<str>,
    request_id: Box<str>,
    _turn: OwnedSemaphorePermit,
}

impl BodyStream {
    pub(super) fn new(
        inner: Incoming,
        limit: Option<ByteSize>,
        silence: Span,
        host: &str,
        request_id: &str,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let limit = limit.map(|size| (size, size.0));
        let (host, request_id) = (host.into(), request_id.into());
        Self { inner, limit, silence, alarm: None, waiting: false, host, request_id, _turn: turn }
    }

    /// The next piece; trailers are left out.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(piece) => {
                    self.waiting = false;
                    match piece.map(|piece| piece.map(Frame::into_data)) {
                        Some(Ok(Ok(data))) => return Poll::Ready(Some(self.counted(data))),
                        Some(Ok(Err(_trailers))) => {}
                        Some(Err(error)) => return Poll::Ready(Some(Err(Failure::of_body(error)))),
                        None => return Poll::Ready(None),
                    }
                }
                Poll::Pending => {
                    ready!(self.poll_alarm(context));
                    return Poll::Ready(Some(Err(Failure::Silent(self.silence))));
                }
            }
        }
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let silence = self.silence.0;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(silence)));
        if !self.waiting {
            alarm.as_mut().reset(Instant::now() + silence);
            self.waiting = true;
        }
        alarm.as_mut().poll(context)
    }

    fn counted(&mut self, data: Bytes) -> Result<Bytes, Failure> {
        if let Some((size, left)) = &mut self.limit {
            *left = left.checked_sub(data.len() as u64).ok_or(Failure::TooLarge(*size))?;
        }
        Ok(data)
    }
}

impl Body for BodyStream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let piece = ready!(self.poll_piece(context));
        Poll::Ready(piece.map(|piece| {
            piece.map(Frame::data).map_err(|failure| {
                let error = failure.told(&self.host);
                tracing::warn!(request_id = %self.request_id, %error, "the answer of a service is not whole");
                error
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
