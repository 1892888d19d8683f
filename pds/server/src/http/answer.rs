//! Answers that are being sent: the memory of all of them, and which one is given up when it exceeds the limit.

use std::{
    collections::HashMap,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::rate_limit::Busy;

/// Bytes that are passed on at once. Answers up to this size are not counted: they take no more memory than a connection.
const PIECE: usize = 64 * 1024;
/// The answer of a reader that took nothing for so long may be given up for others.
const SLOW: Duration = Duration::from_secs(1);

/// The answers longer than a piece that are not yet taken. Cheap to clone.
#[derive(Clone)]
pub struct Answers(Arc<Shared>);

struct Shared {
    most_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    next: u64,
    bytes: usize,
    all: HashMap<u64, Answer>,
}

struct Answer {
    /// Bytes of the complete answer, which stays in memory until the last piece is copied.
    whole: usize,
    rest: Bytes,
    moved: Instant,
}

impl Answers {
    /// With room for `most_bytes`.
    pub fn new(most_bytes: usize) -> Self {
        Self(Arc::new(Shared { most_bytes, held: Mutex::default() }))
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.held().bytes
    }

    /// The body as it is sent to its reader; `None` if there is no room for it. A body that streams has limits of its own.
    pub async fn hold(&self, body: Body) -> Option<Body> {
        let size = HttpBody::size_hint(&body).exact().and_then(|bytes| usize::try_from(bytes).ok());
        match size {
            Some(size) if size > PIECE => {
                let rest = body.collect().await.ok()?.to_bytes();
                self.admit(rest).map(Body::new)
            }
            _ => Some(body),
        }
    }

    fn admit(&self, rest: Bytes) -> Option<Taken> {
        let mut held = self.held();
        while held.bytes.saturating_add(rest.len()) > self.0.most_bytes && !held.all.is_empty() {
            let slowest = held.all.iter().min_by_key(|(_, answer)| answer.moved);
            let (id, _) = slowest.filter(|(_, answer)| answer.moved.elapsed() > SLOW)?;
            let id = *id;
            held.remove(id);
        }
        let id = held.next;
        held.next += 1;
        held.bytes += rest.len();
        let left = rest.len();
        held.all.insert(id, Answer { whole: left, rest, moved: Instant::now() });
        Some(Taken { id, left, home: self.clone() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn remove(&mut self, id: u64) {
        if let Some(answer) = self.all.remove(&id) {
            self.bytes -= answer.whole;
        }
    }
}

/// An answer that is taken piece by piece. Ends with an error if it was given up.
struct Taken {
    id: u64,
    left: usize,
    home: Answers,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut held = self.home.held();
        let Some(answer) = held.all.get_mut(&self.id) else {
            drop(held);
            self.left = 0;
            return Poll::Ready(Some(Err(io::Error::other(
                "the client read too slowly, and PDS_ANSWER_MEMORY was needed for other responses",
            ))));
        };
        answer.moved = Instant::now();
        let piece = answer.rest.split_to(PIECE.min(answer.rest.len()));
        // A slice would keep the complete answer in memory.
        let piece = Bytes::copy_from_slice(&piece);
        let left = answer.rest.len();
        if left == 0 {
            held.remove(self.id);
        }
        drop(held);
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.home.held().remove(self.id);
    }
}

/// A body that marks its connection as having an open request until it is taken to its end.
pub(super) struct Occupying {
    body: Body,
    busy: Busy,
}

impl Occupying {
    pub(super) fn new(body: Body, busy: Busy) -> Self {
        Self { body, busy }
    }
}

impl HttpBody for Occupying {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.busy.got_on();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answers({} of {} bytes)", self.bytes(), self.0.most_bytes)
    }
}
