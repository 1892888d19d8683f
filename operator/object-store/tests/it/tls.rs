//! A service whose certificate only the CA bundle vouches for.

use std::sync::Arc;

use operator_object_store::{Deleted, Error, Isolation, Provisioner, Service, Versitygw};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::world::{endpoint, keys, request, root, service};

/// TLS before the real server: the address and the certificate in PEM.
async fn tls() -> (String, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let target = endpoint();
                let mut server = TcpStream::connect(target.trim_start_matches("http://")).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, own.cert.pem())
}

#[tokio::test]
async fn the_ca_bundle_decides_who_is_trusted() {
    let (address, pem) = tls().await;
    let (trusting, request) = (Service { ca_bundle: Some(pem), ..service(&address) }, request());
    let provisioner = Versitygw::new(trusting, root(), Isolation::Waived).unwrap();
    keys(&provisioner, &request).await;
    assert_eq!(provisioner.delete(&request).await.unwrap(), Deleted::Bucket);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    for ca_bundle in [None, Some(other)] {
        let doubting = Versitygw::new(Service { ca_bundle, ..service(&address) }, root(), Isolation::Waived).unwrap();
        let error = doubting.ensure(&request, None).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)) && error.to_string().contains("certificate"), "{error}");
    }
}
