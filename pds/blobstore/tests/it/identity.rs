//! Certificates of a private authority, and credentials from a web identity.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pds_blobstore::{BlobStore, S3, S3Options};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::bucket;

/// A server on loopback that responds to every request with `body`, and passes on the headers of the requests.
async fn server(body: &'static str, tls: Option<TlsAcceptor>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            match &tls {
                Some(tls) => match tls.accept(socket).await {
                    Ok(stream) => answer(stream, body, &heads).await,
                    Err(_) => None,
                },
                None => answer(socket, body, &heads).await,
            };
        }
    });
    (address, seen)
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    body: &str,
    heads: &mpsc::UnboundedSender<String>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    heads.send(String::from_utf8(head).ok()?).ok()?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls = tls.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let (address, _seen) = server("", Some(TlsAcceptor::from(Arc::new(tls)))).await;
    let options = S3Options {
        endpoint: Some(format!("https://localhost:{}", address.port()).parse().unwrap()),
        request_timeout: Duration::from_secs(5),
        ..bucket().await.options
    };
    let trusting = S3Options { ca_bundle: Some(own.cert.pem()), ..options.clone() };
    S3::connect(trusting).await.health().await.unwrap();
    assert!(S3::connect(options).await.health().await.is_err());
}

/// As on EKS: a token in a file, a role, and a service that issues credentials for them. The test runs itself again with that environment,
/// because a process cannot safely change its own.
#[tokio::test]
async fn without_keys_a_web_identity_gives_them() {
    const CHILD: &str = "AURORA_TEST_WEB_IDENTITY_CHILD";
    const KEYS: &str = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEBIDENTITY</AccessKeyId>\
        <SecretAccessKey>secret</SecretAccessKey><SessionToken>session-token</SessionToken>\
        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
        </AssumeRoleWithWebIdentityResponse>";
    if let Ok(endpoint) = std::env::var(CHILD) {
        let options =
            S3Options { endpoint: Some(endpoint.parse().unwrap()), credentials: None, ..bucket().await.options };
        S3::connect(options).await.health().await.unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-token-of-the-cluster").unwrap();
    let (s3, mut seen_by_s3) = server("", None).await;
    let (sts, mut seen_by_sts) = server(KEYS, None).await;
    let status = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "identity::without_keys_a_web_identity_gives_them"])
        .env(CHILD, format!("http://{s3}"))
        .env("AWS_ENDPOINT_URL_STS", format!("http://{sts}"))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pds")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .status();
    assert!(status.await.unwrap().success());
    assert!(seen_by_sts.recv().await.unwrap().starts_with("POST / "));
    let head = seen_by_s3.recv().await.unwrap();
    assert!(
        head.contains("Credential=ASIAWEBIDENTITY/") && head.contains("x-amz-security-token: session-token"),
        "{head}"
    );
}
