//! What stands between a server and something it needs, and can be taken away: a TCP proxy.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Connections break, and new ones are not taken.
    Refused,
    /// Nobody hears anything of the other. When the way is open again, what was sent meanwhile arrives.
    Silent,
}

/// Connections to `target`, at an address of its own.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: watch::Sender<Way>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() != Way::Refused {
                    tokio::spawn(connection(client, target, seen.clone()));
                }
            }
        });
        Self { port, way }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn connection(client: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    let open = way.wait_for(|way| *way != Way::Silent).await.is_ok_and(|way| *way == Way::Open);
    let Some(server) = (if open { TcpStream::connect(target).await.ok() } else { None }) else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut until = way.clone();
    tokio::select! {
        () = pump(from_client, to_server, way.clone()) => {}
        () = pump(from_server, to_client, way) => {}
        _ = until.wait_for(|way| *way == Way::Refused) => {}
    }
}

/// Passes bytes on while the way is open. Ends with either side.
async fn pump(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if way.wait_for(|way| *way != Way::Silent).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
