//! Connections of clients: their maximum number, and how long one may be silent.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Extension, middleware::AddExtension};
use axum_server::{
    Server,
    accept::{Accept, DefaultAcceptor},
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    task::yield_now,
    time::{Sleep, sleep},
};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Layer;

use super::pace::Pace;
use crate::rate_limit::{Connection, Connections, Place};

/// How long a connection may wait between requests and while it sends a request's head: the reference's keep-alive time.
const IDLE: Duration = Duration::from_secs(90);
/// How long a new connection may send nothing.
const SILENT: Duration = Duration::from_secs(15);
/// How long a client may take nothing of an answer, and the least rate after that in bytes per second.
const STALL: Duration = Duration::from_secs(30);
const LEAST_RATE: u32 = 1024;
/// Read buffer of a connection, and thereby the longest request head. Idle connections cost little more than this.
const BUFFER_BYTES: usize = 16 * 1024;
/// Unsent bytes that the system buffers for a connection. With more, a slow reader would seem to take nothing for minutes.
const UNSENT_BYTES: u32 = 64 * 1024;

/// A server without TLS. It has no HTTP/2 either, which is negotiated by TLS.
pub fn plain(listener: std::net::TcpListener, connections: Connections) -> io::Result<Server<SocketAddr, Gate>> {
    let mut server = axum_server::from_tcp(listener)?.acceptor(Gate::new(connections));
    *server.http_builder() = protocol().http1_only();
    Ok(server)
}

/// A server with TLS.
pub fn tls(
    listener: std::net::TcpListener,
    config: RustlsConfig,
    connections: Connections,
) -> io::Result<Server<SocketAddr, RustlsAcceptor<Gate>>> {
    let server = axum_server::from_tcp_rustls(listener, config)?;
    let mut server = server.map(|acceptor: RustlsAcceptor<DefaultAcceptor>| acceptor.acceptor(Gate::new(connections)));
    *server.http_builder() = protocol();
    Ok(server)
}

fn protocol() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(BUFFER_BYTES);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(IDLE / 3).keep_alive_timeout(IDLE / 3);
    // Limits the memory of a connection: requests at once, and bytes to send of each.
    builder.http2().max_concurrent_streams(STREAMS).max_send_buf_size(UNSENT_BYTES as usize);
    builder
}

/// Maximum number of requests at once over one connection of HTTP/2.
const STREAMS: u32 = 64;

/// Connections that begin at once. If a thousand clients come in the same moment, requests over connections that exist do not queue behind all of them.
const BEGINNING: usize = 16;

/// Accepts connections, and gives requests a handle of their connection.
#[derive(Clone, Debug)]
pub struct Gate {
    connections: Connections,
    /// [`BEGINNING`] of them.
    turns: Arc<Semaphore>,
}

impl Gate {
    fn new(connections: Connections) -> Self {
        Self { connections, turns: Arc::new(Semaphore::new(BEGINNING)) }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Gate {
    type Stream = Watched;
    type Service = AddExtension<S, Connection>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = || {
            let place = self.connections.admit(stream.peer_addr()?.ip()).ok_or(io::ErrorKind::ConnectionRefused)?;
            // Without this the last piece of an answer waits up to 40 ms for the client to acknowledge the piece before.
            stream.set_nodelay(true)?;
            socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
            Ok(place)
        };
        let admitted: io::Result<Place> = admitted();
        let turns = self.turns.clone();
        Box::pin(async move {
            // It counts as a connection while it waits for its turn.
            let place = admitted?;
            let _turn = turns.acquire().await;
            // The runtime goes on here after all that was ready before.
            yield_now().await;
            let service = Extension(place.connection()).layer(service);
            Ok((Watched::new(stream, place), service))
        })
    }
}

/// A connection that ends when its client sends or takes nothing for too long, or when its place is given to another one.
pub struct Watched {
    stream: TcpStream,
    /// Free again when the connection ends.
    _place: Place,
    /// Until the first byte.
    silent: Option<Pin<Box<Sleep>>>,
    writes: Pace,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watched {
    fn new(stream: TcpStream, place: Place) -> Self {
        let closed = Box::pin(place.closed().cancelled_owned());
        let writes = Pace::new(STALL, LEAST_RATE);
        Self { stream, _place: place, silent: Some(Box::pin(sleep(SILENT))), writes, closed }
    }

    /// Fails once the connection has to make room for others.
    fn still_open(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Records the progress of a write.
    fn written(&mut self, context: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.writes.moved(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending if self.writes.poll_late(context).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            result => result,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.still_open(context)?;
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            this.silent = None;
        } else if let Some(silent) = &mut this.silent {
            ready!(silent.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.still_open(context)?;
        let result = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.still_open(context)?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}
