//! Those who follow the stream, over every end of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use tokio::time::sleep;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{audit::Audit, replica::Address};

/// Follows the stream for ever, at one replica after the other, and goes on behind the last event it has received.
pub(super) async fn follow(replicas: Vec<Address>, audit: Arc<Audit>, last: Arc<AtomicI64>) {
    for address in replicas.iter().cycle() {
        read(&address.url(), &last, &audit, None).await;
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the stream behind the event `last`, and moves it on, until the stream breaks off or `until` is reached.
pub(super) async fn read(url: &str, last: &AtomicI64, audit: &Audit, until: Option<i64>) {
    let mut seq = last.load(Ordering::Relaxed);
    let url = format!("{}/xrpc/com.atproto.sync.subscribeRepos?cursor={seq}", url.replace("http://", "ws://"));
    let Ok((mut socket, _)) = connect_async(url).await else { return };
    while until != Some(seq)
        && let Some(Ok(message)) = socket.next().await
    {
        if let Message::Binary(frame) = message {
            seq = audit.take(seq, &frame);
            last.store(seq, Ordering::Relaxed);
        }
    }
    assert!(until.is_none_or(|until| until == seq), "the stream ended at {seq} of {until:?}");
}
