use super::*;
use crate::{
    plc::{Directory as _, HttpDirectory},
    testing::{TIMEOUT, Web, ok},
};

fn nobody() -> Allow {
    Arc::new(|_, _| false)
}

fn loopback() -> Allow {
    Arc::new(|_, address| address.is_loopback())
}

#[test]
fn only_public_addresses_pass() {
    for address in ["1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:1.1.1.1"] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    let private = [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.0.8",
        "192.88.99.1",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "203.0.113.1",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2001::a00:1",
        "2001:2::1",
        "2001:db8::1",
        "2002:a00:1::",
        "3fff::1",
        "ff02::1",
    ];
    for address in private {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn private_destinations_are_refused_by_name_and_every_address_by_number() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let guard = Guard::new(nobody(), TIMEOUT, &Roots::default()).unwrap();
    for url in ["https://localhost/", "http://example.com/", "file:///etc/passwd"] {
        assert!(matches!(guard.text(url).await, Err(Error::Unreachable { .. })), "{url}");
    }
    let numbers =
        ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/", "https://1.1.1.1/"];
    for url in numbers {
        let error = guard.text(url).await.unwrap_err().to_string();
        assert!(error.contains("an IP address instead of a host name"), "{error}");
    }
}

#[tokio::test]
async fn a_public_name_that_leads_to_a_private_address_is_not_connected_to() {
    let web = Web::start("alice.example", &[("/", ok("secret"))]).await;
    let error = web.guard(nobody()).text("https://alice.example/").await.unwrap_err();
    assert!(error.to_string().contains("no public IP address"), "{error}");
    assert_eq!(web.requests(), 0);
    assert_eq!(web.guard(loopback()).text("https://alice.example/").await.unwrap().as_deref(), Some("secret"));
    let by_name: Allow = Arc::new(|host, _| host.ends_with(".example"));
    assert_eq!(web.guard(by_name).text("https://alice.example/").await.unwrap().as_deref(), Some("secret"));
}

#[tokio::test]
async fn redirects_are_not_followed_and_only_200_counts() {
    let away = "HTTP/1.1 302 Found\r\nlocation: /text\r\ncontent-length: 0\r\n\r\n".to_owned();
    let web = Web::start("alice.example", &[("/text", ok("text")), ("/away", away)]).await;
    let guard = web.guard(loopback());
    assert_eq!(guard.text("https://alice.example/away").await.unwrap(), None);
    assert_eq!(guard.text("https://alice.example/missing").await.unwrap(), None);
    assert_eq!(web.requests(), 2);
}

#[tokio::test]
async fn long_and_late_answers_are_given_up() {
    let long = ok(&"x".repeat(MAX_TEXT_BYTES + 1));
    let web = Web::start("alice.example", &[("/long", long), ("/late", String::new())]).await;
    let guard = web.guard(loopback());
    assert!(matches!(guard.text("https://alice.example/long").await, Err(Error::Answer { .. })));
    assert!(matches!(guard.text("https://alice.example/late").await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    let web = Web::start("localhost", &[("/text", ok("heard")), ("/_health", ok("{}"))]).await;
    let port = web.address.port();
    let url: url::Url = format!("https://localhost:{port}").parse().unwrap();
    for (roots, trusted) in [(Roots::with_pem(&web.pem).unwrap(), true), (Roots::default(), false)] {
        let everybody: Allow = Arc::new(|_, _| true);
        let guard = Guard::new(everybody, Duration::from_secs(5), &roots).unwrap();
        let text = guard.text(&format!("https://localhost:{port}/text")).await;
        assert_eq!(text.is_ok(), trusted, "{text:?}");
        let directory = HttpDirectory::new(&url, Duration::from_secs(5), &roots).unwrap();
        assert_eq!(directory.health().await.is_ok(), trusted);
    }
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Roots::with_pem(nonsense).is_err());
}

/// Each lookup by the system's own resolver held a thread for as long as a name server was silent.
#[test]
fn a_lookup_needs_no_thread_of_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let web = Web::start("localhost", &[("/text", ok("heard"))]).await;
        let everybody: Allow = Arc::new(|_, _| true);
        let guard = Guard::new(everybody, Duration::from_secs(5), &Roots::with_pem(&web.pem).unwrap()).unwrap();
        // The only thread is taken, as hundreds are while name servers are silent.
        let taken = tokio::task::spawn_blocking(move || ended.recv());
        let text = guard.text(&format!("https://localhost:{}/text", web.address.port())).await;
        drop(end);
        assert!(taken.await.unwrap().is_err());
        assert_eq!(text.unwrap().as_deref(), Some("heard"));
    });
}
