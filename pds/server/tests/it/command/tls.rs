//! The server's own TLS, and the authorities that it trusts.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::Method;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::process::{Pds, run};
use crate::harness::{Place, send};

/// A certificate for localhost and its key, as PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Writes the files that the server reads.
fn write(folder: &Path, certificate: &str, key: &str) {
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
}

/// A certificate for localhost, written to the files that the server reads; its PEM.
fn renew(folder: &Path) -> String {
    let (certificate, key) = pair();
    write(folder, &certificate, &key);
    certificate
}

/// Waits for something for half a minute, which is three looks at the files.
async fn within_three_looks(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..150 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}: not within half a minute");
}

/// A client that trusts that certificate and no other.
fn client(pem: &str) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).build().unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let files = [("PDS_TLS_CERT_FILE", "cert.pem"), ("PDS_TLS_KEY_FILE", "key.pem")];
    let pds = Pds::start(folder.path(), &files).await;
    let url = format!("https://localhost:{}/xrpc/_health", pds.port());
    assert_eq!(client(&first).get(&url).send().await.unwrap().status(), 200);

    let second = renew(folder.path());
    let is_new = async || client(&second).get(&url).send().await.is_ok();
    within_three_looks("the new certificate is used", is_new).await;
    assert!(client(&first).get(&url).send().await.is_err(), "the old certificate is gone");
}

/// F63
#[tokio::test]
async fn a_certificate_that_does_not_match_its_key_leaves_the_old_one_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let files = [("PDS_TLS_CERT_FILE", "cert.pem"), ("PDS_TLS_KEY_FILE", "key.pem")];
    let pds = Pds::start(folder.path(), &files).await;
    let url = format!("https://localhost:{}/xrpc/_health", pds.port());

    let ((certificate, _), (_, key_of_another)) = (pair(), pair());
    write(folder.path(), &certificate, &key_of_another);
    let refused = async || pds.log().contains("the new TLS certificate cannot be used; the old one stays");
    within_three_looks("the pair is refused", refused).await;
    assert_eq!(client(&first).get(&url).send().await.unwrap().status(), 200);
    assert!(client(&certificate).get(&url).send().await.is_err());
    assert!(!pds.log().contains("the TLS certificate was renewed"), "{}", pds.log());

    let good = renew(folder.path());
    let is_new = async || client(&good).get(&url).send().await.is_ok();
    within_three_looks("the certificate after that is used", is_new).await;
}

/// F9
#[tokio::test]
async fn well_known_documents_are_the_same_over_http_2() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = renew(folder.path());
    let files = [("PDS_TLS_CERT_FILE", "cert.pem"), ("PDS_TLS_KEY_FILE", "key.pem")];
    let pds = Pds::start(folder.path(), &files).await;
    let url = format!("https://localhost:{}/.well-known/did.json", pds.port());
    let answer = client(&certificate).get(&url).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

/// F9: over HTTP/2 the name of the host is in the URI, not in a header.
#[tokio::test]
async fn the_did_of_a_handle_is_found_over_http_2() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = renew(folder.path());
    let directory = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    let settings = [
        ("PDS_TLS_CERT_FILE", "cert.pem"),
        ("PDS_TLS_KEY_FILE", "key.pem"),
        ("PDS_DID_PLC_URL", &directory),
        ("PDS_INVITE_REQUIRED", "false"),
    ];
    let pds = Pds::start(folder.path(), &settings).await;
    let sign_up = format!("https://localhost:{}/xrpc/com.atproto.server.createAccount", pds.port());
    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let session = send(client(&certificate).post(sign_up).json(&person)).await.ok();

    let address = SocketAddr::from(([127, 0, 0, 1], pds.port()));
    // The certificate is for another name.
    let client = reqwest::Client::builder().resolve("alice.test", address).tls_danger_accept_invalid_certs(true);
    let url = format!("https://alice.test:{}/.well-known/atproto-did", pds.port());
    let answer = client.build().unwrap().get(url).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    assert_eq!(answer.text().await.unwrap(), session["did"].as_str().unwrap());
}

/// An authority, its certificate in PEM form, and a server's TLS for localhost that it signed.
fn authority() -> (String, TlsAcceptor) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (key, mut authority) = (KeyPair::generate().unwrap(), CertificateParams::new([]).unwrap());
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&key).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = tls.with_single_cert(vec![leaf.der().clone()], key).unwrap();
    (certificate.pem(), TlsAcceptor::from(Arc::new(tls)))
}

/// TLS in front of an http URL; the https URL.
async fn in_front_of(url: &str, tls: &TlsAcceptor) -> String {
    let target: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let (tls, listener) = (tls.clone(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let (Ok(mut client), Ok(mut server)) = (tls.accept(socket).await, TcpStream::connect(target).await)
                else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let (folder, (pem, tls)) = (tempfile::tempdir().unwrap(), authority());
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let place = Place::s3();
    let Place::S3 { endpoint, .. } = &place else { panic!("not S3") };
    let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    let mut settings = place.settings();
    settings.push(("PDS_BLOBSTORE_S3_ENDPOINT", in_front_of(endpoint, &tls).await));
    settings.push(("PDS_DID_PLC_URL", in_front_of(&plc, &tls).await));
    settings.push(("PDS_INVITE_REQUIRED", "false".into()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let sign_up =
        async |pds: &Pds| send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&person)).await;

    let pds = Pds::start(folder.path(), &settings).await;
    assert!(!sign_up(&pds).await.status.is_success(), "nobody has heard of this authority");
    drop(pds);
    let pds = Pds::start(folder.path(), &[&settings[..], &[("PDS_CA_FILE", "ca.pem")]].concat()).await;
    let session = sign_up(&pds).await.ok();
    let upload = pds.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").body("a blob");
    let upload = upload.header("content-type", "text/plain").bearer_auth(session["accessJwt"].as_str().unwrap());
    send(upload).await.ok();
}

#[tokio::test]
async fn a_file_of_certificates_that_has_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text) in [("empty", ""), ("nonsense", nonsense)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for name in ["missing", "empty", "nonsense"] {
        for command in [&["serve"][..], &["migrate"], &["config", "check"]] {
            let output = run(folder.path(), command, &[("PDS_CA_FILE", name)]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{said}");
            assert!(said.contains(&format!("PDS_CA_FILE={name:?}: ")), "{said}");
        }
    }
}
