//! Connections to services.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use futures::future::BoxFuture;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use pds_identity::{Allow, addresses};
use tokio::sync::Semaphore;
use tower::Service;

use super::Outgoing;

/// A pool of connections.
pub(super) type Pool = Client<HttpsConnector<HttpConnector<Dns>>, Outgoing>;

/// How long an idle connection is kept, and how many per service.
const IDLE: Duration = Duration::from_secs(30);
const MOST_IDLE: usize = 64;
/// Bytes of an answer that are read ahead of a client that does not take them.
const AHEAD_BYTES: u32 = 64 * 1024;
/// Lookups of host names at the same time. Each takes sockets.
const LOOKUPS: usize = 32;
/// Maximum time of a lookup.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// Connections to hosts with public addresses and those that `allow` names; for HTTP/2 with room for `streams` answers at once.
pub(super) fn pool(tls: rustls::ClientConfig, allow: Allow, http2: bool, streams: usize) -> Pool {
    let names = pds_identity::Dns::new(&[], LOOKUP_TIME);
    let mut http = HttpConnector::new_with_resolver(Dns { names, allow, turns: Arc::new(Semaphore::new(LOOKUPS)) });
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(IDLE));
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let https = if http2 {
        https.enable_all_versions().wrap_connector(http)
    } else {
        https.enable_http1().wrap_connector(http)
    };
    // Answers that nobody reads must not use up the window of the connection, which all answers share.
    let window = u32::try_from(streams).unwrap_or(u32::MAX).saturating_mul(AHEAD_BYTES).min(1 << 30);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .http1_max_buf_size(AHEAD_BYTES as usize)
        .http2_initial_stream_window_size(AHEAD_BYTES)
        .http2_initial_connection_window_size(window.max(AHEAD_BYTES))
        .http2_max_send_buf_size(AHEAD_BYTES as usize)
        .http2_keep_alive_interval(IDLE)
        .build(https)
}

/// Resolves host names to the addresses that may be connected to.
#[derive(Clone)]
pub(super) struct Dns {
    names: pds_identity::Dns,
    allow: Allow,
    turns: Arc<Semaphore>,
}

impl Service<Name> for Dns {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { names, allow, turns } = self.clone();
        Box::pin(async move {
            let _turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            Ok(addresses(&names, name.as_str(), &allow).await?.into_iter())
        })
    }
}
