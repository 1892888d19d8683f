use std::time::Duration;

use axum::{
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use bytes::Bytes;
use futures::SinkExt;
use pds_repo::event;
use serde::Deserialize;
use tokio::time::{Instant, interval, timeout};

use crate::{
    app::App,
    report::chain,
    sequencer::{Next, StartError, Subscription},
    xrpc::{Query, Result, XrpcError, number},
};

/// How often an idle connection is asked whether it lives, and how long it may stay silent.
const PING: Duration = Duration::from_secs(30);
const SILENT: Duration = Duration::from_secs(90);
/// A reader that takes nothing for so long is too slow.
const STALL: Duration = Duration::from_secs(10);
/// Bytes that are collected before they are written out; when there is nothing more to come they are at once.
const TOGETHER: usize = 64 * 1024;
/// Messages from a follower mean nothing here; long ones are refused.
const MAX_INCOMING: usize = 4 * 1024;

/// Parameters of `com.atproto.sync.subscribeRepos`.
#[derive(Debug, Deserialize)]
pub struct SubscribeReposParams {
    #[serde(default, deserialize_with = "number")]
    cursor: Option<i64>,
}

/// `com.atproto.sync.subscribeRepos`
pub async fn subscribe_repos(
    State(app): State<App>,
    Query(params): Query<SubscribeReposParams>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|refusal| XrpcError::invalid(refusal.body_text()))?;
    let upgrade = upgrade
        .max_message_size(MAX_INCOMING)
        .read_buffer_size(MAX_INCOMING)
        .write_buffer_size(TOGETHER)
        .max_write_buffer_size(8 << 20);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _counted = app.metrics.subscribed();
        match app.sequencer.subscribe(params.cursor, app.clock.now_us()).await {
            Ok((subscription, start)) => follow(socket, subscription, start.outdated).await,
            Err(StartError::FutureCursor) => {
                end(socket, "FutureCursor", "Cursor in the future.").await;
            }
            Err(StartError::Store(error)) => {
                tracing::warn!(error = chain(&error), "a subscription could not begin");
                close(socket, close_code::AGAIN, "").await;
            }
        }
    }))
}

async fn follow(mut socket: WebSocket, mut subscription: Subscription, outdated: bool) {
    if outdated {
        let told = event::info("OutdatedCursor", "Requested cursor exceeded limit. Possibly missing events");
        if !send(&mut socket, [told]).await {
            return end(socket, "ConsumerTooSlow", "Stream consumer too slow").await;
        }
    }
    let (mut ping, mut heard) = (interval(PING), Instant::now());
    loop {
        tokio::select! {
            next = subscription.next() => match next {
                Ok(Next::Frames(frames)) => {
                    if !send(&mut socket, frames).await {
                        return end(socket, "ConsumerTooSlow", "Stream consumer too slow").await;
                    }
                }
                Ok(Next::Stopped) => return close(socket, close_code::AWAY, "").await,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a subscription broke off");
                    return close(socket, close_code::AGAIN, "").await;
                }
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) => {
                    // The answer to it is queued by now and still has to go out, or the follower takes this for a break.
                    let _ = timeout(STALL, socket.flush()).await;
                    return;
                }
                Some(Err(_)) | None => return,
                Some(Ok(_)) => heard = Instant::now(),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENT || timeout(STALL, socket.send(Message::Ping(Bytes::new()))).await.is_err() {
                    return close(socket, close_code::AWAY, "").await;
                }
            }
        }
    }
}

/// Hands frames to the socket, many to one system call; `false` if they did not go out in time.
async fn send(socket: &mut WebSocket, frames: impl IntoIterator<Item = Bytes>) -> bool {
    for frame in frames {
        if !matches!(timeout(STALL, socket.feed(Message::Binary(frame))).await, Ok(Ok(()))) {
            return false;
        }
    }
    matches!(timeout(STALL, socket.flush()).await, Ok(Ok(())))
}

/// Says why, then closes.
async fn end(mut socket: WebSocket, name: &str, message: &str) {
    let _ = send(&mut socket, [event::error(name, message)]).await;
    close(socket, close_code::POLICY, name).await;
}

async fn close(mut socket: WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = timeout(STALL, socket.send(Message::Close(Some(frame)))).await;
}
