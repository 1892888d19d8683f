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
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use pds_identity::{Allow, addresses};
use tower::Service;

use super::Outgoing;
use crate::rate_limit::Turns;

/// A pool of connections.
pub(super) type Pool = Client<HttpsConnector<HttpConnector<Dns>>, Outgoing>;

/// How long an idle connection is kept, and how many per service.
const IDLE: Duration = Duration::from_secs(30);
const MOST_IDLE: usize = 64;
/// Bytes of an answer that are read ahead of a client that does not take them.
const AHEAD_BYTES: u32 = 64 * 1024;
/// Lookups of host names at the same time, of all accounts and of one, and how many may wait. Each takes sockets.
const LOOKUPS: usize = 32;
const LOOKUPS_OF_ONE: usize = 8;
const WAITING_LOOKUPS: usize = 2048;
/// Maximum time of a lookup.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The account for which a connection is opened: the pool tells the resolver of host names nothing but the name.
    static CALLER: Arc<str>;
}

/// Sends a request through a pool. Lookups of host names are counted for `caller`.
pub(super) async fn request(
    pool: &Pool,
    request: Request<Outgoing>,
    caller: &Arc<str>,
) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
    CALLER.scope(caller.clone(), pool.request(request)).await
}

/// Connections to hosts with public addresses and those that `allow` names; for HTTP/2 with room for `streams` answers at once.
pub(super) fn pool(tls: rustls::ClientConfig, allow: Allow, http2: bool, streams: usize) -> Pool {
    let names = pds_identity::Dns::new(&[], LOOKUP_TIME);
    let mut http = HttpConnector::new_with_resolver(Dns::new(names, allow));
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
    turns: Turns,
}

impl Dns {
    fn new(names: pds_identity::Dns, allow: Allow) -> Self {
        Self { names, allow, turns: Turns::shared(LOOKUPS, LOOKUPS_OF_ONE, WAITING_LOOKUPS) }
    }
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
            let caller = CALLER.try_with(Arc::clone).unwrap_or_else(|_| "".into());
            let turn = turns.next(&caller).await;
            let _turn = turn.ok_or_else(|| io::Error::other("too many host names are being looked up"))?;
            Ok(addresses(&names, name.as_str(), &allow).await?.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};
    use tokio::{net::UdpSocket, task::yield_now, time::timeout};

    use super::*;

    #[tokio::test]
    async fn one_account_whose_services_have_silent_name_servers_leaves_lookups_to_others() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let names = pds_identity::Dns::new(&[silent.local_addr().unwrap()], Duration::from_secs(600));
        let dns = Dns::new(names, Arc::new(|_, _| true));
        let find = |caller: &str, host: &str| {
            let name = host.parse::<Name>().unwrap();
            let mut dns = dns.clone();
            CALLER.scope(caller.into(), async move { dns.call(name).await })
        };
        let hosts: Vec<_> = (0..LOOKUPS).map(|n| format!("{n}.slow.example")).collect();
        let mut own = join_all(hosts.iter().map(|host| find("alice", host))).boxed();
        let left = LOOKUPS - LOOKUPS_OF_ONE;
        let all_asked = async {
            while (dns.turns.free(), dns.turns.waiting()) != (left, left) {
                yield_now().await;
            }
        };
        let asked = async {
            tokio::select! { _ = &mut own => false, () = all_asked => true }
        };
        assert!(timeout(Duration::from_secs(60), asked).await.expect("one account has its share and no more"));
        let found = timeout(Duration::from_secs(60), find("bob", "localhost")).await.expect("it does not wait");
        assert!(found.unwrap().all(|address| address.ip().is_loopback()));
        // Whoever gives up frees its turns.
        drop(own);
        assert_eq!((dns.turns.free(), dns.turns.waiting()), (LOOKUPS, 0));
    }
}
