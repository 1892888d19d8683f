//! Answers that are being sent: the memory of all of them, and which one is given up when it exceeds the limit.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::HeaderValue,
    response::Response,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::rate_limit::{Budget, Busy, Client, Part};

/// Bytes that are passed on at once.
const PIECE: usize = 64 * 1024;

/// Memory of a compressor, by the coding that a client asks for.
const ZSTD: usize = 384 << 10;
const GZIP: usize = 288 << 10;

/// The answers that are not yet taken, and the memory that compresses them. Cheap to clone.
#[derive(Clone)]
pub struct Answers(Budget);

/// Marks an answer that is sent as it is.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Answers {
    /// Answers that are held in `memory` until their readers have taken them.
    pub fn new(memory: Budget) -> Self {
        Self(memory)
    }

    /// The answer as it is sent to its reader; `None` if there is no room for it. Without room for a compressor it is marked with [`Plain`]. A body
    /// that streams has limits of its own.
    pub async fn hold(&self, client: &Client, codings: Option<&HeaderValue>, answer: Response) -> Option<Response> {
        let size = HttpBody::size_hint(answer.body()).exact().and_then(|bytes| usize::try_from(bytes).ok());
        let Some(size) = size.filter(|size| *size > 0) else { return Some(answer) };
        let (mut parts, body) = answer.into_parts();
        let compressor = codings.map_or(0, compressor);
        let compressed = if compressor == 0 { None } else { self.0.take(client, size + compressor) };
        let part = match compressed {
            Some(part) => part,
            None => {
                parts.extensions.insert(Plain);
                self.0.take(client, size)?
            }
        };
        let rest = body.collect().await.ok()?.to_bytes();
        let (part, is_one_piece) = (Arc::new(part), rest.len() <= PIECE);
        Some(Response::from_parts(parts, Body::new(Taken { rest, part, is_one_piece })))
    }
}

/// Memory of the compressor for what a client accepts.
fn compressor(codings: &HeaderValue) -> usize {
    let accepts = |name: &str| codings.to_str().is_ok_and(|codings| codings.contains(name));
    match () {
        () if accepts("zstd") => ZSTD,
        () if accepts("gzip") => GZIP,
        () => 0,
    }
}

/// An answer that is taken piece by piece. Ends with an error if it was given up.
struct Taken {
    rest: Bytes,
    part: Arc<Part>,
    is_one_piece: bool,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if !self.part.moved() {
            self.rest = Bytes::new();
            return Poll::Ready(Some(Err(io::Error::other(
                "the client read too slowly, and PDS_ANSWER_MEMORY was needed for other responses",
            ))));
        }
        let most = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(most);
        // A slice would keep the complete answer in memory.
        let piece = if self.is_one_piece { piece } else { Bytes::copy_from_slice(&piece) };
        Poll::Ready(Some(Ok(Frame::data(self.part.hold(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
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
        write!(f, "Answers({:?})", self.0)
    }
}
