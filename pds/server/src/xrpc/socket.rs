//! Websockets of methods that stream.
//!
//! Event messages come as complete websocket messages, built once for all followers ([`crate::sequencer::message`]). They are written
//! directly to the stream below the websocket library. Control messages (pings and their answers, closing) are the library's. The two never
//! write at the same time: each method of [`Socket`] first completes what the other has begun.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures::{SinkExt, StreamExt};
use hyper_tungstenite::{
    HyperWebsocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tokio::{io::AsyncWriteExt, time::timeout};

/// A client that takes nothing for so long is too slow.
const STALL: Duration = Duration::from_secs(10);
/// A client that does not take all messages of one call within this time is too slow.
const SEND_TIME: Duration = Duration::from_secs(60);

/// A websocket with a client.
pub struct Socket {
    stream: HyperWebsocketStream,
    /// Event messages that were not sent, or only in part (the first).
    unsent: VecDeque<Bytes>,
}

impl Socket {
    pub(super) fn new(stream: HyperWebsocketStream) -> Self {
        Self { stream, unsent: VecDeque::new() }
    }

    /// Sends complete event messages, many with one system call.
    ///
    /// # Errors
    /// When the connection is broken or the client too slow. The next call continues where this one stopped.
    pub async fn send(&mut self, messages: Vec<Bytes>) -> io::Result<()> {
        self.unsent.extend(messages);
        in_time(SEND_TIME, self.send_unsent()).await
    }

    async fn send_unsent(&mut self) -> io::Result<()> {
        self.flush_control().await?;
        let stream = self.stream.get_mut();
        while !self.unsent.is_empty() {
            let slices: Vec<_> = self.unsent.iter().map(|message| IoSlice::new(message)).collect();
            match in_time(STALL, stream.write_vectored(&slices)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => remove_sent(&mut self.unsent, sent),
            }
        }
        in_time(STALL, stream.flush()).await
    }

    /// Asks whether the client is alive.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn ping(&mut self) -> io::Result<()> {
        in_time(STALL, async { self.stream.send(Message::Ping(Bytes::new())).await.map_err(io::Error::other) }).await
    }

    /// Waits for any message of the client. Returns `false` if it has closed the socket or the connection is broken.
    ///
    /// Cancellation: loses nothing.
    pub async fn wait_for_message(&mut self) -> bool {
        matches!(self.stream.next().await, Some(Ok(message)) if !message.is_close())
    }

    /// Sends the answer to the client's close message. Without it the client would report an error.
    pub async fn answer_close(mut self) {
        let _ = self.flush_control().await;
    }

    /// Sends a close message and waits for the client's answer: if a connection is closed before everything was read that the client sent,
    /// messages that the client has not read may be lost. Does nothing in the middle of an event message.
    pub async fn close(mut self, code: CloseCode, reason: &'static str) {
        if !self.unsent.is_empty() {
            return;
        }
        let closed = async {
            let frame = CloseFrame { code, reason: reason.into() };
            if self.stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        let _ = timeout(STALL, closed).await;
    }

    /// Sends the control messages that wait in the library, mostly answers to pings.
    async fn flush_control(&mut self) -> io::Result<()> {
        in_time(STALL, async { self.stream.flush().await.map_err(io::Error::other) }).await
    }
}

/// Removes the first `sent` bytes.
fn remove_sent(unsent: &mut VecDeque<Bytes>, mut sent: usize) {
    while let Some(first) = unsent.front_mut() {
        if sent < first.len() {
            return first.advance(sent);
        }
        sent -= first.len();
        unsent.pop_front();
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
