//! A follower of the firehose that reads frames as they are on the wire.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use pds_repo::{Action, Cid, Op, cbor::Reader, proof};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

pub(crate) struct Firehose(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A message, as far as tests look into it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) seq: i64,
    pub(crate) bytes: Vec<u8>,
    /// Of a commit.
    pub(crate) ops: Vec<Op>,
    pub(crate) commit: Option<Commit>,
}

/// What else a commit says. Its operations have been undone on its blocks, and gave the tree that `prevData` names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commit {
    pub(crate) did: String,
    pub(crate) rev: String,
    pub(crate) since: Option<String>,
    pub(crate) cid: Cid,
    /// The tree's root before.
    pub(crate) before: Cid,
    pub(crate) blocks: Vec<u8>,
}

impl Firehose {
    pub(crate) async fn open(url: &str, cursor: i64) -> Self {
        let url = format!("{}/xrpc/com.atproto.sync.subscribeRepos?cursor={cursor}", url.replace("http://", "ws://"));
        Self(connect_async(url).await.unwrap().0)
    }

    /// The next message, within seconds.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            let message = timeout(Duration::from_secs(20), self.0.next())
                .await
                .expect("an event in time")
                .expect("an open stream")
                .unwrap();
            match message {
                Message::Binary(bytes) => return Event::read(&bytes),
                Message::Ping(payload) => self.0.send(Message::Pong(payload)).await.unwrap(),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Does the server end the stream, within seconds?
    pub(crate) async fn ends(&mut self) -> bool {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if message.is_close() {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(20), end).await.is_ok()
    }

    /// Says goodbye.
    pub(crate) async fn leave(&mut self) {
        self.0.close(None).await.unwrap();
    }

    /// The reason with which the server closes the stream, within seconds; `None` if it only breaks off.
    pub(crate) async fn closed(&mut self) -> Option<String> {
        let end = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(frame) = message {
                    return Some(frame.map(|frame| frame.reason.to_string()).unwrap_or_default());
                }
            }
            None
        };
        timeout(Duration::from_secs(20), end).await.expect("an end in time")
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(self.next().await);
        }
        events
    }
}

impl Event {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let pairs = reader.map().unwrap();
        if pairs == 1 {
            reader.key("op").unwrap();
            return Self { kind: "error".into(), seq: 0, bytes: bytes.to_vec(), ops: Vec::new(), commit: None };
        }
        let kind = reader.key("t").unwrap().text().unwrap().to_owned();
        reader.key("op").unwrap().uint().unwrap();
        reader.map().unwrap();
        let (mut seq, mut ops, mut commit) = (0, Vec::new(), None);
        match kind.as_str() {
            "#commit" => {
                for _ in 0..reader.key("ops").unwrap().array().unwrap() {
                    ops.push(op(&mut reader));
                }
                let rev = reader.key("rev").unwrap().text().unwrap().to_owned();
                seq = reader.key("seq").unwrap().uint().unwrap() as i64;
                commit = Some(rest(&mut reader, rev, &ops));
            }
            "#sync" => {
                reader.key("did").unwrap().text().unwrap();
                reader.key("rev").unwrap().text().unwrap();
                seq = reader.key("seq").unwrap().uint().unwrap() as i64;
            }
            "#identity" | "#account" => {
                reader.key("did").unwrap().text().unwrap();
                seq = reader.key("seq").unwrap().uint().unwrap() as i64;
            }
            _ => {}
        }
        Self { kind, seq, bytes: bytes.to_vec(), ops, commit }
    }
}

fn op(reader: &mut Reader<'_>) -> Op {
    let pairs = reader.map().unwrap();
    let cid: Option<Cid> = reader.key("cid").unwrap().optional_link().unwrap();
    let path = reader.key("path").unwrap().text().unwrap().parse().unwrap();
    let prev = (pairs == 4).then(|| reader.key("prev").unwrap().link().unwrap());
    let action = match reader.key("action").unwrap().text().unwrap() {
        "create" => Action::Create,
        "update" => Action::Update,
        _ => Action::Delete,
    };
    Op { action, path, cid, prev }
}

/// The rest of a commit: its operations, undone on its own blocks, give `prevData`.
fn rest(reader: &mut Reader<'_>, rev: String, ops: &[Op]) -> Commit {
    let did = reader.key("repo").unwrap().text().unwrap().to_owned();
    reader.key("time").unwrap().text().unwrap();
    reader.key("blobs").unwrap().array().unwrap();
    reader.key("since").unwrap();
    let since = (!reader.null()).then(|| reader.text().unwrap().to_owned());
    let blocks = reader.key("blocks").unwrap().bytes().unwrap().to_vec();
    let before = proof::invert(&blocks, ops).unwrap();
    let cid = reader.key("commit").unwrap().link().unwrap();
    for name in ["rebase", "tooBig"] {
        assert!(!reader.key(name).unwrap().bool().unwrap());
    }
    if reader.end().is_err() {
        assert_eq!(reader.key("prevData").unwrap().link().unwrap(), before);
    }
    Commit { did, rev, since, cid, before, blocks }
}
