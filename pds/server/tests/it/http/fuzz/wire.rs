//! Requests as bytes: no library between the test and the server mends them.

use std::{fmt, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take; a debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request, right or wrong.
pub(super) struct Request {
    pub(super) verb: &'static str,
    pub(super) nsid: &'static str,
    /// What follows the path, with its question mark.
    pub(super) query: Vec<u8>,
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    pub(super) body: Option<Vec<u8>>,
}

/// What came back.
pub(super) struct Answer {
    /// 0: the connection ended without an answer.
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} /xrpc/{}", self.verb, self.nsid).into_bytes();
        bytes.extend(&self.query);
        bytes.extend(b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: ").bytes());
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        if let Some(body) = &self.body {
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends it over a connection of its own.
    pub(super) async fn send(&self, to: SocketAddr) -> Answer {
        timeout(PATIENCE, self.exchange(to)).await.unwrap_or_else(|_| panic!("no answer to {self:?}"))
    }

    async fn exchange(&self, to: SocketAddr) -> Answer {
        let (mut from, mut into) = TcpStream::connect(to).await.unwrap().into_split();
        let bytes = self.bytes();
        // A server that has seen enough answers, and takes nothing more.
        let write = async { into.write_all(&bytes).await };
        let read = async {
            let mut received = Vec::new();
            let mut piece = [0; 16 * 1024];
            while let Ok(count @ 1..) = from.read(&mut piece).await {
                received.extend(&piece[..count]);
                // What follows the head of this answer is a stream without an end.
                if received.starts_with(b"HTTP/1.1 101 ") {
                    break;
                }
            }
            received
        };
        let (_, received) = tokio::join!(write, read);
        let status = received.get(9..12).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let end = received.windows(4).position(|window| window == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
        Answer { status: status.unwrap_or(0), body: received[end..].to_vec() }
    }
}

impl Answer {
    /// The text of an error, with the lengths of chunks if it came in some.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// As much of it as helps.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 1500;
        let bytes = self.bytes();
        let more = if bytes.len() > SHOWN { format!("... ({} bytes)", bytes.len()) } else { String::new() };
        write!(f, "{}{more}", bytes[..bytes.len().min(SHOWN)].escape_ascii())
    }
}
