//! The body of a request on its way to a service.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::Error;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is passed on as it arrives. The service decides how fast it is read.
pub struct Outgoing {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    left: u64,
    sending: Option<Sending>,
}

/// What happens to a body after it was handed to the connection.
#[derive(Clone, Debug)]
pub(super) struct Sending(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    most: u64,
    /// When the connection last asked for bytes, or got some.
    moved: Instant,
    waits_for_client: bool,
    ended: bool,
    cancelled: bool,
    fault: Option<Fault>,
    connection: Option<Waker>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    TooLong,
    Client,
}

impl Outgoing {
    /// No body.
    #[must_use]
    pub fn none() -> Self {
        Self { inner: Empty::new().map_err(|never| match never {}).boxed_unsync(), left: 0, sending: None }
    }

    /// These bytes.
    #[must_use]
    pub fn bytes(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { inner: Full::new(bytes).map_err(|never| match never {}).boxed_unsync(), left, sending: None }
    }

    /// The body of a client's request, of at most `most` bytes.
    pub fn stream<B>(body: B, most: u64) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let state = State {
            most,
            moved: Instant::now(),
            waits_for_client: false,
            ended: false,
            cancelled: false,
            fault: None,
            connection: None,
        };
        let sending = Sending(Arc::new(Mutex::new(state)));
        Self { inner: body.map_err(Into::into).boxed_unsync(), left: most, sending: Some(sending) }
    }

    pub(super) fn sending(&self) -> Option<Sending> {
        self.sending.clone()
    }
}

impl Sending {
    /// Since when the service has not done what it has to do next; `None` while it is the client's turn.
    pub(super) fn service_silent_since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.waits_for_client).then_some(state.moved)
    }

    /// Why the body ended before its end, if the client is the cause.
    pub(super) fn fault(&self) -> Option<Error> {
        let state = self.state();
        state.fault.map(|fault| match fault {
            Fault::TooLong => Error::InputTooLong(state.most),
            Fault::Client => Error::Input,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the sending of a body when the answer is complete or nobody waits for it. Without this, a connection whose service answers before it has read
/// everything would wait for the client for ever.
#[derive(Debug)]
pub(super) struct EndWithAnswer(pub(super) Sending);

impl Drop for EndWithAnswer {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if !state.ended {
            state.cancelled = true;
            if let Some(connection) = state.connection.take() {
                connection.wake();
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(sending) = self.sending.clone() else { return Pin::new(&mut self.inner).poll_frame(context) };
        if sending.state().cancelled {
            return Poll::Ready(Some(Err("the answer is complete".into())));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let mut state = sending.state();
        state.moved = Instant::now();
        state.waits_for_client = polled.is_pending();
        match polled {
            Poll::Pending => {
                state.connection = Some(context.waker().clone());
                Poll::Pending
            }
            Poll::Ready(None) => {
                state.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                state.fault = Some(Fault::Client);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.left.checked_sub(bytes) else {
                    state.fault = Some(Fault::TooLong);
                    return Poll::Ready(Some(Err("the request's body is too long".into())));
                };
                drop(state);
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Waits for the head of an answer. Fails when the service has done nothing for `limit`; the time in which the client has to send does not count.
pub(super) async fn in_time<T>(
    head: impl Future<Output = T>,
    sending: Option<&Sending>,
    limit: Duration,
) -> Result<T, Error> {
    let mut head = std::pin::pin!(head);
    let mut since = Instant::now();
    loop {
        if let Ok(head) = tokio::time::timeout_at(since + limit, &mut head).await {
            return Ok(head);
        }
        since = match sending.map(Sending::service_silent_since) {
            Some(None) => Instant::now(),
            Some(Some(silent)) if silent + limit > Instant::now() => silent,
            _ => return Err(Error::Timeout(limit)),
        };
    }
}
