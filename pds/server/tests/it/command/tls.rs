//! The server's own TLS.

use std::{path::Path, time::Duration};

use rcgen::{CertificateParams, KeyPair};

use super::process::Pds;

/// A certificate for localhost, written to the files that the server reads; its PEM.
fn renew(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    certificate.pem()
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
    // Half a minute is three looks at the files.
    for _ in 0..150 {
        if client(&second).get(&url).send().await.is_ok() {
            assert!(client(&first).get(&url).send().await.is_err(), "the old certificate is gone");
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the new certificate was not taken up");
}
