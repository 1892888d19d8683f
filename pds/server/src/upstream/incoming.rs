//! The body of a service's answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::{outgoing::EndWithAnswer, places::Place};

/// A body that is read as fast as the client takes it. Dropping it ends the call.
pub struct Incoming {
    inner: hyper::body::Incoming,
    most: u64,
    left: u64,
    patience: Duration,
    /// While the service is waited for.
    waiting: Option<Pin<Box<Sleep>>>,
    place: Place,
    _upload: Option<EndWithAnswer>,
}

impl Incoming {
    pub(super) fn new(
        inner: hyper::body::Incoming,
        most: u64,
        patience: Duration,
        place: Place,
        upload: Option<EndWithAnswer>,
    ) -> Self {
        Self { inner, most, left: most, patience, waiting: None, place, _upload: upload }
    }

    /// Its length, if the service has told it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.inner.size_hint().exact()
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(this.patience)));
                if waiting.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                let message = format!("the service has sent nothing for {:?}", this.patience);
                return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, message))));
            }
        };
        this.waiting = None;
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        if !this.place.moved() {
            return Poll::Ready(Some(Err(io::Error::other(
                "the client read too slowly, and its place was needed for other calls",
            ))));
        }
        let Some(left) = this.left.checked_sub(bytes) else {
            let message = format!("the response has more than {} bytes", this.most);
            return Poll::Ready(Some(Err(io::Error::other(message))));
        };
        this.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({:?} bytes)", self.length())
    }
}
