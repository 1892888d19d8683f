//! TLS in front of a server that speaks none. Who speaks none either is passed on as it is.

use std::{fs, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::certificate;

/// The first byte of a client that speaks TLS.
const HANDSHAKE: u8 = 22;

/// Passes connections on to a server, until the test ends.
pub(crate) struct TlsFront {
    /// With `https`.
    pub(crate) url: String,
    /// The file with its certificate.
    pub(crate) ca: String,
    folder: TempDir,
}

impl TlsFront {
    /// A front that passes connections on to whatever [`TlsFront::open`] says.
    pub(crate) async fn start() -> (Self, TcpListener) {
        let folder = tempfile::tempdir().unwrap();
        let [ca, _] = certificate(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        (Self { url, ca, folder }, listener)
    }

    /// Accepts connections for the server with this URL.
    pub(crate) fn open(&self, listener: TcpListener, behind: &str) {
        let folder = self.folder.path();
        let chain =
            CertificateDer::pem_slice_iter(&fs::read(folder.join("tls.crt")).unwrap()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&fs::read(folder.join("tls.key")).unwrap()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), behind.trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let mut first = [0];
                    if !matches!(stream.peek(&mut first).await, Ok(1)) {
                        return;
                    }
                    let mut server = TcpStream::connect(behind).await.unwrap();
                    if first != [HANDSHAKE] {
                        let mut stream = stream;
                        drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
                    } else if let Ok(mut stream) = acceptor.accept(stream).await {
                        drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
                    }
                });
            }
        });
    }
}
