//! The abuser's connections: from several addresses of this machine, none of which is the bystander's, and what they were answered.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Call, Client};

/// From 127.0.0.2 on. More than one, because shares of one address are no limit for somebody who has a few.
const ADDRESSES: u8 = 8;
/// The longest wait for the first bytes of an answer.
const ANSWER: Duration = Duration::from_secs(60);
/// After a refusal, until the next attempt.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How often each answer was given.
#[derive(Default)]
pub(super) struct Answers(Mutex<BTreeMap<String, u64>>);

/// The abuser's tasks. They end when this is dropped.
pub(super) struct Crowd {
    address: SocketAddr,
    joined: u8,
    pub(super) tasks: JoinSet<()>,
    pub(super) answers: Arc<Answers>,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Member {
    address: SocketAddr,
    source: Ipv4Addr,
    answers: Arc<Answers>,
}

impl Crowd {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, joined: 0, tasks: JoinSet::new(), answers: Arc::default() }
    }

    /// Starts a task with the next of the addresses. What it fails with is counted among the answers.
    pub(super) fn join<F: Future<Output = Result<()>> + Send + 'static>(&mut self, act: impl FnOnce(Member) -> F) {
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.joined);
        self.joined = (self.joined + 1) % ADDRESSES;
        let member = Member { address: self.address, source, answers: self.answers.clone() };
        let (act, answers) = (act(member), self.answers.clone());
        self.tasks.spawn(async move {
            if let Err(error) = act.await {
                answers.count(&format!("{error:#}"));
            }
        });
    }
}

impl Answers {
    fn count(&self, answer: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(answer.to_owned()).or_default() += 1;
    }

    /// As text: `200 × 12, 503 × 3`.
    pub(super) fn text(&self) -> String {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<_> = answers.iter().map(|(answer, count)| format!("{answer} × {count}")).collect();
        each.join(", ")
    }
}

impl Member {
    pub(super) fn saw(&self, answer: &str) {
        self.answers.count(answer);
    }

    /// The same call again and again, at most once in `every`.
    pub(super) async fn repeat(self, every: Duration, mut call: impl FnMut(usize) -> Call) -> Result<()> {
        let mut client = None;
        for number in 0.. {
            let next = tokio::time::Instant::now() + every;
            let connected = match client.take() {
                Some(connected) => Ok(connected),
                None => Client::connect_from(self.source, self.address).await,
            };
            match connected {
                Ok(mut connected) => match connected.status(call(number)).await {
                    Ok(status) => {
                        self.saw(&status.to_string());
                        client = Some(connected);
                    }
                    Err(_) => self.saw("broken off"),
                },
                Err(_) => self.saw("no connection"),
            }
            tokio::time::sleep_until(next).await;
        }
        Ok(())
    }

    /// A connection on which so many bytes may wait for this side.
    pub(super) async fn socket(&self, receive_bytes: u32) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(receive_bytes)?;
        socket.bind((self.source, 0).into())?;
        socket.connect(self.address).await.context("no connection")
    }

    /// Sends a request and counts the status that comes first; the rest of the answer is not read. `None` if the connection ends instead.
    pub(super) async fn ask(&self, receive_bytes: u32, head: &str) -> Option<(TcpStream, u16)> {
        let Ok(mut stream) = self.socket(receive_bytes).await else {
            self.saw("no connection");
            return None;
        };
        if stream.write_all(head.as_bytes()).await.is_err() {
            self.saw("broken off");
            return None;
        }
        let status = timeout(ANSWER, status(&mut stream)).await;
        match status {
            Ok(Some(status)) => self.saw(&status.to_string()),
            Ok(None) => self.saw("broken off"),
            Err(_) => self.saw("no answer"),
        }
        Some((stream, status.ok()??))
    }
}

/// Keeps a connection on which nothing is read until the server ends it, which is noticed by sending something that has no meaning.
pub(super) async fn hold(mut stream: TcpStream, nothing: &[u8]) {
    while stream.write_all(nothing).await.is_ok() {
        sleep(Duration::from_secs(5)).await;
    }
}

/// The head of a request without a body, or of one that goes on with its body.
pub(super) fn head(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{rest}\r\n")
}

/// The status of an answer; no more than that is read.
pub(super) async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.ok()?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}
