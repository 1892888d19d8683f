//! The socket under the firehose. AL-SYN-5

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async, connect_async,
    tungstenite::{self, Bytes, Message},
};

use crate::{
    harness::{Database, Event, TestPds},
    on_both,
};

/// Longer than the server waits for a follower that takes nothing.
const STALL: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_follower_that_stalls_hears_why_it_is_let_go_between_two_messages() {
    // AL-SYN-7
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    for _ in 0..10 {
        let record = json!({"$type": "com.example.long", "text": "x".repeat(900_000)});
        let input = json!({"repo": alice.did, "collection": "com.example.long", "record": record});
        alice.call("com.atproto.repo.createRecord", input).await.ok();
    }

    // What the two systems hold for each other is less than that.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let address = pds.url.strip_prefix("http://").unwrap();
    let stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let url = format!("ws://{address}/xrpc/com.atproto.sync.subscribeRepos?cursor=0");
    let (mut follower, _) = client_async(url, stream).await.unwrap();
    sleep(STALL).await;

    let mut events = Vec::new();
    let reason = loop {
        match follower.next().await.expect("a word of farewell").unwrap() {
            Message::Binary(bytes) => events.push(Event::read(&bytes)),
            Message::Close(frame) => break frame.unwrap().reason.to_string(),
            other => assert!(other.is_ping(), "{other:?}"),
        }
    };
    assert_eq!(reason, "ConsumerTooSlow");
    assert_eq!(events.pop().unwrap().kind, "error");
    assert!(events.len() > 4);
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event.seq, seq);
    }
}

on_both!(a_cursor_that_is_too_old_is_told_so_and_goes_on_where_the_window_begins, |pds| async move {
    // AL-SYN-7
    pds.person("alice").await;
    pds.clock.forward(Duration::from_secs(25 * 60 * 60));
    let alice = pds.person_of(pds.log_in("alice.pds.test", "correct horse").await.ok());
    alice.post("new").await;
    let mut late = pds.firehose(Some(0)).await;
    let info = late.next().await;
    assert_eq!(info.kind, "#info");
    assert!(String::from_utf8_lossy(&info.bytes).contains("OutdatedCursor"), "{info:?}");
    assert_eq!(late.next().await.seq, 5);
    assert_eq!(pds.firehose(Some(4)).await.next().await.seq, 5, "nothing is missing for this one");
});

#[tokio::test]
async fn only_a_get_of_http_1_1_becomes_a_socket() {
    let pds = TestPds::sqlite().await;
    let address = pds.url.strip_prefix("http://").unwrap();
    for (start, status) in [("GET", "1.1 101"), ("HEAD", "1.1 400"), ("POST", "1.1 400"), ("GET", "1.0 400")] {
        let version = &status[..3];
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{start} /xrpc/com.atproto.sync.subscribeRepos HTTP/{version}\r\nhost: {address}\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer), Ok(&*format!("HTTP/{status}")), "{start}");
    }
}

#[tokio::test]
async fn a_follower_is_answered_while_it_follows() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let url = format!("{}/xrpc/com.atproto.sync.subscribeRepos?cursor=4", pds.url.replace("http://", "ws://"));
    let (mut follower, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for n in 0..20_u8 {
        follower.send(Message::Ping(Bytes::copy_from_slice(&[n]))).await.unwrap();
        alice.post("hello").await;
    }
    let (mut seqs, mut pongs) = (Vec::new(), Vec::new());
    while seqs.len() < 20 || pongs.len() < 20 {
        match follower.next().await.unwrap().unwrap() {
            Message::Binary(bytes) => seqs.push(Event::read(&bytes).seq),
            Message::Pong(payload) => pongs.extend(payload),
            other => assert!(other.is_ping(), "{other:?}"),
        }
    }
    assert!(seqs.into_iter().eq(5..25));
    assert!(pongs.into_iter().eq(0..20));
}

/// F28
#[tokio::test]
async fn there_are_only_so_many_subscribers() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_MAX_SUBSCRIBERS", "2")]).await;
    let (first, _second) = (pds.firehose(None).await, pds.firehose(None).await);
    let url = format!("{}/xrpc/com.atproto.sync.subscribeRepos", pds.url.replace("http://", "ws://"));
    let refused = connect_async(&url).await.unwrap_err();
    let tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
    drop(first);
    let again = async {
        while connect_async(&url).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), again).await.expect("its place is free");
}

/// F28
#[tokio::test]
async fn followers_that_read_nothing_share_their_memory_and_keep_nobody_from_the_past() {
    // AL-SYN-7
    let pds =
        TestPds::with(Database::sqlite(), &[("PDS_SUBSCRIBER_MEMORY", "8MiB"), ("PDS_TRUSTED_PROXIES", "")]).await;
    let alice = pds.person("alice").await;
    for _ in 0..6 {
        alice.create("com.example.long", json!({"text": "x".repeat(900_000)})).await.ok();
    }
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(follower_at(&pds, 2).await);
    }
    // A fourth of the memory is for one address, which is that of one follower.
    let one_reads = async {
        while pds.app.sequencer.followers_reading() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(8), one_reads).await.expect("one of them reads");
    for _ in 0..20 {
        assert!(pds.app.sequencer.followers_reading() <= 1);
        sleep(Duration::from_millis(5)).await;
    }
    let mut honest = pds.firehose(Some(0)).await;
    let events = timeout(Duration::from_secs(8), honest.take(9)).await.expect("no wait for those that stall");
    assert_eq!(events.len(), 9);
    // All turns are those of slow followers then, from as many addresses as it takes.
    for address_of_one in 3..10 {
        silent.push(follower_at(&pds, address_of_one).await);
    }
    let all_read = async {
        while pds.app.sequencer.followers_reading() < 4 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(8), all_read).await.expect("all turns are taken");
    let mut honest = pds.firehose(Some(0)).await;
    let events = timeout(Duration::from_secs(20), honest.take(9)).await.expect("they give their turns back");
    assert_eq!(events.len(), 9);
    // Whoever gave a turn back goes on where it was, without a gap.
    drop(honest);
    let mut late = silent.pop().unwrap();
    let mut binary = 0;
    while binary < 9 {
        let message = timeout(Duration::from_secs(20), late.next()).await.expect("it goes on").unwrap().unwrap();
        binary += usize::from(message.is_binary());
    }
}

/// Follows from the beginning, from another address, and takes little that is not read.
async fn follower_at(pds: &TestPds, last: u8) -> WebSocketStream<TcpStream> {
    let address = pds.url.strip_prefix("http://").unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
    let stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let url = format!("ws://{address}/xrpc/com.atproto.sync.subscribeRepos?cursor=0");
    client_async(url, stream).await.unwrap().0
}
