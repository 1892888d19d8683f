//! Redis behind TLS.

use std::sync::Arc;

use pds_limiter::{Limiter, Redis};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::redis::Server;

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = Server::start();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls = TlsAcceptor::from(Arc::new(tls.with_single_cert(vec![own.cert.der().clone()], key).unwrap()));
    let (listener, target) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.address());
    let url = format!("rediss://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let (Ok(mut client), Ok(mut redis)) = (tls.accept(socket).await, TcpStream::connect(target).await)
                else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut redis).await;
            });
        }
    });
    for (ca_bundle, trusted) in [(Some(own.cert.pem()), true), (None, false)] {
        let redis = Redis { url: url.clone(), prefix: "tls:".to_owned(), connections: 1, ca_bundle };
        let shutdown = CancellationToken::new();
        let limiter = Limiter::sharing(&redis, shutdown.clone()).await.unwrap();
        assert_eq!(limiter.is_shared(), Some(trusted));
        shutdown.cancel();
    }
}
