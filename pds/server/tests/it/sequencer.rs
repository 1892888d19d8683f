//! Replays of a long past.

use std::{io::Cursor, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use pds_repo::{cbor::Reader, event::Frame};
use pds_server::{app::App, rate_limit::Client, sequencer::Next};
use pds_store::{Dialect, event};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocket},
};

use crate::on_both;

/// Bytes of the events of one transaction: commits as they mostly are, short ones, and some that are read alone.
const LENGTHS: [(usize, usize); 4] = [(2_000, 60), (20, 700), (7_000, 30), (120_000, 3)];

/// So long that it matters whether what is stored is shorter.
const LONG: usize = 900_000;
/// No piece of a replay is longer, however little of the database it takes.
const PIECE: usize = 3 << 20;

/// Appends a transaction; the numbers of its events.
async fn append(app: &App, len: usize, count: usize) -> std::ops::Range<i64> {
    let frame = || {
        let mut suffix = vec![0; len];
        if len < LONG {
            rand::fill(&mut suffix[..]);
        }
        Frame { prefix: Bytes::new(), suffix: suffix.into() }
    };
    let frames: Vec<_> = std::iter::repeat_with(frame).take(count).collect();
    let mut tx = app.db.begin().await.unwrap();
    let first = event::append(&mut tx, &frames, app.clock.now_us()).await.unwrap();
    tx.commit().await.unwrap();
    first..first + frames.len() as i64
}

/// The numbers that a follower hears, up to `last`.
async fn hear(app: &App, cursor: i64, last: i64) -> Vec<i64> {
    let (mut subscription, start) = app
        .sequencer
        .subscribe(
            app.sequencer.place(&Client { subject: "".into(), connection: None }).unwrap(),
            Some(cursor),
            app.clock.now_us(),
        )
        .await
        .unwrap();
    assert!(!start.outdated);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|seq| *seq < last) {
        let next = timeout(Duration::from_secs(20), subscription.next()).await.expect("more in time").unwrap();
        let Next::Messages(messages) = next else { panic!("stopped") };
        for bytes in messages {
            assert!(bytes.len() < PIECE);
            let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Client, None);
            while let Ok(Message::Binary(frame)) = socket.read() {
                heard.push(Reader::new(&frame).int().unwrap());
            }
        }
    }
    heard
}

on_both!(every_follower_hears_every_event_once_and_in_order, |pds| async move {
    // AL-SYN-5
    let mut wanted = Vec::new();
    for round in 0..40 {
        for (len, count) in LENGTHS {
            wanted.extend(append(&pds.app, len, count).await);
        }
        if round == 10 {
            wanted.extend(append(&pds.app, LONG, 20).await);
        }
        if round == 20 && pds.app.db.dialect() == Dialect::Postgres {
            // As a restored database has it.
            pds.database.psql("update seq_state set next = next + 1000000");
        }
    }
    let (app, middle) = (Arc::new(pds.app.clone()), wanted[wanted.len() / 3]);
    // More than are given more memory, and more events while they read.
    let writer = async {
        let mut more = Vec::new();
        for _ in 0..20 {
            more.extend(append(&app, 2_000, 60).await);
        }
        more
    };
    let last = wanted.last().unwrap() + 20 * 60;
    let followers = (0..6).map(|n| hear(&app, if n % 2 == 0 { 0 } else { middle }, last));
    let (heard, more) = tokio::join!(join_all(followers), writer);
    wanted.extend(more);
    for (n, heard) in heard.iter().enumerate() {
        let from = if n % 2 == 0 { 0 } else { middle };
        let wanted: Vec<_> = wanted.iter().copied().filter(|seq| *seq > from).collect();
        assert!(*heard == wanted, "follower {n}: {} events of {}", heard.len(), wanted.len());
    }
});
