use std::time::Duration;

use axum::{extract::State, response::Response};
use hyper_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use pds_repo::event;
use serde::Deserialize;
use tokio::time::{Instant, interval};

use crate::{
    app::App,
    rate_limit::Client,
    report::chain,
    sequencer::{Next, StartError, Subscription, message},
    xrpc::{Query, Result, Socket, Upgrade, XrpcError},
};

/// How often a client is asked whether it is alive, and how long it may send and take nothing.
const PING: Duration = Duration::from_secs(30);
const SILENT: Duration = Duration::from_secs(90);

/// Parameters of `com.atproto.sync.subscribeRepos`.
#[derive(Debug, Deserialize)]
pub struct SubscribeReposParams {
    cursor: Option<i64>,
}

/// `com.atproto.sync.subscribeRepos`
pub async fn subscribe_repos(
    State(app): State<App>,
    Query(params): Query<SubscribeReposParams>,
    client: Client,
    upgrade: Result<Upgrade>,
) -> Result<Response> {
    let upgrade = upgrade?;
    let place = app.sequencer.place(&client);
    let place = place.ok_or_else(|| XrpcError::unavailable("There are too many subscribers, try again later", 60))?;
    Ok(upgrade.then(async move |socket| {
        let _counted = app.metrics.subscribed();
        match app.sequencer.subscribe(place, params.cursor, app.clock.now_us()).await {
            Ok((subscription, start)) => follow(socket, subscription, start.outdated).await,
            Err(StartError::FutureCursor) => {
                end(socket, "FutureCursor", "Cursor in the future.").await;
            }
            Err(StartError::Store(error)) => {
                tracing::warn!(
                    error = chain(&error),
                    "the database could not be read: subscribeRepos was closed before its first event"
                );
                socket.close(CloseCode::Again, "").await;
            }
        }
    }))
}

async fn follow(mut socket: Socket, mut subscription: Subscription, outdated: bool) {
    if outdated {
        let info = event::info("OutdatedCursor", "Requested cursor exceeded limit. Possibly missing events");
        if socket.send(vec![message(&info)]).await.is_err() {
            return too_slow(socket).await;
        }
    }
    let (mut ping, mut last_sign_of_life) = (interval(PING), Instant::now());
    loop {
        tokio::select! {
            next = subscription.next() => match next {
                Ok(Next::Messages(messages)) => {
                    if socket.send(messages).await.is_err() {
                        // Its memory is freed before the close message, which takes time.
                        drop(subscription);
                        return too_slow(socket).await;
                    }
                    // It takes messages; its own were not read in the meantime.
                    last_sign_of_life = Instant::now();
                }
                Ok(Next::Stopped) => return socket.close(CloseCode::Away, "").await,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a subscription ended: events could not be read");
                    return socket.close(CloseCode::Again, "").await;
                }
            },
            is_open = socket.wait_for_message() => {
                if !is_open {
                    return socket.answer_close().await;
                }
                last_sign_of_life = Instant::now();
            }
            _ = ping.tick() => {
                if last_sign_of_life.elapsed() > SILENT || socket.ping().await.is_err() {
                    return socket.close(CloseCode::Away, "").await;
                }
            }
        }
    }
}

async fn too_slow(socket: Socket) {
    end(socket, "ConsumerTooSlow", "Stream consumer too slow").await;
}

/// Sends an error event, then closes.
async fn end(mut socket: Socket, name: &'static str, text: &str) {
    let _ = socket.send(vec![message(&event::error(name, text))]).await;
    socket.close(CloseCode::Policy, name).await;
}
