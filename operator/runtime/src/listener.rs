//! Serves the pages, with a limit for connections and time: every pod of the cluster may reach the port, and so may slow and hostile ones.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Maximum number of connections, and of those from one address.
const MOST: usize = 256;
const MOST_PER_ADDRESS: usize = 16;
/// Time limit for the head of a request, and for the connection, which serves one request.
const HEAD: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// Between two tries to accept, when the system has no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections by address, the oldest first.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<HashMap<IpAddr, VecDeque<CancellationToken>>>>);

/// A connection that counts until this is dropped. The token is cancelled when another one takes its place.
struct Place {
    open: Open,
    address: IpAddr,
    ended: CancellationToken,
}

impl Open {
    /// A place, unless the address has its share. If all are taken, the oldest connection of the address with the most loses its own: however many
    /// addresses a client has, one that has none yet is served.
    fn take(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.connections();
        if open.get(&address).is_some_and(|own| own.len() >= MOST_PER_ADDRESS) {
            return None;
        }
        if open.values().map(VecDeque::len).sum::<usize>() >= MOST {
            let most = open.values_mut().max_by_key(|own| own.len());
            most.and_then(VecDeque::pop_front)?.cancel();
        }
        let ended = CancellationToken::new();
        open.entry(address).or_default().push_back(ended.clone());
        Some(Place { open: self.clone(), address, ended })
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<IpAddr, VecDeque<CancellationToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.ended.cancel();
        let mut open = self.open.connections();
        if let Some(own) = open.get_mut(&self.address) {
            own.retain(|other| !other.is_cancelled());
            if own.is_empty() {
                open.remove(&self.address);
            }
        }
    }
}

/// Serves until `stop`. A connection above the limit of its address is closed at once.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let (open, mut connections) = (Open::default(), JoinSet::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = open.take(peer.ip()) {
                        connections.spawn(one(stream, place, router.clone()));
                    }
                }
                Err(error) => {
                    tracing::debug!("accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn one(stream: TcpStream, place: Place, router: Router) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false).max_buf_size(HEAD_BYTES);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // The error of a connection is its client's affair.
    let served = tokio::time::timeout(CONNECTION, connection);
    let _ = place.ended.run_until_cancelled(served).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut text = String::new();
        // A connection above a limit is reset.
        stream.read_to_string(&mut text).await.ok();
        text
    }

    #[test]
    fn many_addresses_together_keep_nobody_else_out() {
        let open = Open::default();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut held: Vec<_> =
            (0..16).flat_map(|last| (0..16).map(move |_| last)).map(|last| open.take(address(last)).unwrap()).collect();
        assert!(open.take(address(0)).is_none(), "it has its share");
        let probe = open.take(address(100)).unwrap();
        assert_eq!(held.iter().filter(|place| place.ended.is_cancelled()).count(), 1);
        // New ones of hostile addresses take the places of their like.
        for last in 17..40 {
            held.push(open.take(address(last)).unwrap());
        }
        assert!(!probe.ended.is_cancelled());
        drop((held, probe));
        assert!(open.connections().is_empty());
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_each_serves_one_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let server = tokio::spawn(serve(listener, Router::new().route("/", get(|| async { "ok" })), stop.clone()));
        let answer = ask(address).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");

        let mut silent = Vec::new();
        for _ in 0..MOST_PER_ADDRESS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HT").await.unwrap();
            silent.push(stream);
        }
        let refused = async || ask(address).await.is_empty();
        while !refused().await {
            tokio::task::yield_now().await;
        }
        let other = std::net::SocketAddr::from(([127, 0, 0, 2], 0));
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(other).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "another address is served: {text}");

        drop(silent);
        while ask(address).await.is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        server.await.unwrap();
    }
}
