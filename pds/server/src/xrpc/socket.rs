//! Websockets for methods that stream.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::Method,
    response::Response,
};
use bytes::{Buf, Bytes};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_tungstenite::{
    HyperWebsocket, HyperWebsocketStream, is_upgrade_request,
    tungstenite::{
        Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::XrpcError;
use crate::rate_limit::{self, Connection};

/// A client that takes nothing for so long is too slow.
const STALL: Duration = Duration::from_secs(10);
/// And so is one that does not take within this time what is sent at once.
const LONGEST: Duration = Duration::from_secs(60);
/// Messages from a client mean nothing so far; long ones are refused.
const MAX_INCOMING: usize = 4 * 1024;
/// Answers to pings that a client does not read. When there are so many it gets no more.
const MAX_UNREAD: usize = 64 * 1024;

/// A request that asks for a socket.
pub struct Upgrade {
    answer: Response,
    socket: HyperWebsocket,
    /// Lets the connection live although no request gets on.
    lasting: Option<rate_limit::Socket>,
}

impl<S: Send + Sync> FromRequest<S> for Upgrade {
    type Rejection = XrpcError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, XrpcError> {
        let can_upgrade = request.method() == Method::GET && request.extensions().get::<OnUpgrade>().is_some();
        if !can_upgrade || !is_upgrade_request(&request) {
            return Err(XrpcError::invalid(
                "this method answers over a websocket: Connection must be upgrade, Upgrade websocket",
            ));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_INCOMING))
            .max_frame_size(Some(MAX_INCOMING))
            .read_buffer_size(MAX_INCOMING)
            .write_buffer_size(MAX_INCOMING)
            .max_write_buffer_size(MAX_UNREAD);
        let (answer, socket) = hyper_tungstenite::upgrade(&mut request, Some(config))
            .map_err(|error| XrpcError::invalid(error.to_string()))?;
        let lasting = request.extensions().get::<Connection>().map(Connection::socket);
        Ok(Self { answer: answer.map(|_| Body::empty()), socket, lasting })
    }
}

impl Upgrade {
    /// Hands the socket to `work` as soon as there is one, and answers that there will be.
    pub fn then<F: Future<Output = ()> + Send>(self, work: impl FnOnce(Socket) -> F + Send + 'static) -> Response {
        let (socket, lasting) = (self.socket, self.lasting);
        tokio::spawn(async move {
            let _lasting = lasting;
            match socket.await {
                Ok(stream) => work(Socket { stream, unsent: VecDeque::new() }).await,
                Err(error) => tracing::debug!("no websocket came of an upgrade: {error}"),
            }
        });
        self.answer
    }
}

/// A socket with a client.
///
/// Messages are finished before they come here, once for all who get them; they go past the library to the stream below, as they are. All
/// else is the library's, which has nothing under way while messages are sent, as no message is while the library is at work.
pub struct Socket {
    stream: HyperWebsocketStream,
    /// Of messages; the first may have been sent in part.
    unsent: VecDeque<Bytes>,
}

impl Socket {
    /// Sends finished messages, many to one system call. If that fails the next call goes on where this one stopped.
    ///
    /// # Errors
    /// When the connection is broken or the client too slow.
    pub async fn send(&mut self, messages: Vec<Bytes>) -> io::Result<()> {
        self.unsent.extend(messages);
        within(LONGEST, self.send_unsent()).await
    }

    async fn send_unsent(&mut self) -> io::Result<()> {
        self.flush().await?;
        let stream = self.stream.get_mut();
        while !self.unsent.is_empty() {
            let slices: Vec<_> = self.unsent.iter().map(|message| IoSlice::new(message)).collect();
            match within(STALL, stream.write_vectored(&slices)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => forget(&mut self.unsent, sent),
            }
        }
        within(STALL, stream.flush()).await
    }

    /// Asks whether the client is there.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn ping(&mut self) -> io::Result<()> {
        within(STALL, async { self.stream.send(Message::Ping(Bytes::new())).await.map_err(io::Error::other) }).await
    }

    /// Waits for a sign of life; `false` if the client has left. Cancelling it loses nothing.
    pub async fn hear(&mut self) -> bool {
        matches!(self.stream.next().await, Some(Ok(message)) if !message.is_close())
    }

    /// Lets a client go that has left: the answer to its goodbye still has to go out, or it takes this for a break.
    pub async fn let_go(mut self) {
        let _ = self.flush().await;
    }

    /// Says goodbye, if that would not be in the middle of a message, and waits for the answer: when a connection is closed before all is
    /// read that came over it, what the client has not read yet may be lost.
    pub async fn close(mut self, code: CloseCode, reason: &'static str) {
        if !self.unsent.is_empty() {
            return;
        }
        let goodbye = async {
            let frame = CloseFrame { code, reason: reason.into() };
            if self.stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        let _ = timeout(STALL, goodbye).await;
    }

    /// Sends what the library has to say: answers to pings, mostly.
    async fn flush(&mut self) -> io::Result<()> {
        within(STALL, async { self.stream.flush().await.map_err(io::Error::other) }).await
    }
}

/// Drops so many bytes, which were sent.
fn forget(unsent: &mut VecDeque<Bytes>, mut sent: usize) {
    while let Some(first) = unsent.front_mut() {
        if sent < first.len() {
            return first.advance(sent);
        }
        sent -= first.len();
        unsent.pop_front();
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
