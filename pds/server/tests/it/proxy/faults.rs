//! Services and clients that misbehave.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures::{StreamExt, future::join_all};

use crate::harness::{APP_VIEW, Database, TestPds, Upstream, raw, send};

const METHOD: &str = "app.bsky.graph.getFollows";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";
const SLOW: &str = "did:plc:44ybard66vv44zksje25o7dz#slow";

async fn with_raw(
    answer: &'static [u8],
    more: &[(&'static str, &str)],
) -> (TestPds, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let (address, count) = raw(answer).await;
    let mut settings =
        vec![("PDS_BSKY_APP_VIEW_URL", format!("http://{address}")), ("PDS_BSKY_APP_VIEW_DID", APP_VIEW.to_owned())];
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    (TestPds::with(Database::sqlite(), &settings).await, count)
}

#[tokio::test]
async fn garbage_and_broken_connections_are_answered_502() {
    for answer in [&b"nonsense"[..], b"", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"] {
        let (pds, _) = with_raw(answer, &[]).await;
        let alice = pds.person("alice").await;
        let refused = alice.query(METHOD, &[]).await;
        assert_eq!(refused.error(), (502, "UpstreamFailure"), "{answer:?}");
        assert_eq!(refused.body["message"], "Upstream service unreachable");
    }
    // One that ends too early is no complete answer.
    let (pds, _) = with_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort", &[]).await;
    let alice = pds.person("alice").await;
    let answer = pds.get(METHOD).bearer_auth(&alice.access).send().await.unwrap();
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn only_queries_are_sent_again() {
    let (pds, count) = with_raw(b"", &[("PDS_PROXY_MAX_RETRIES", "2")]).await;
    let alice = pds.person("alice").await;
    assert_eq!(alice.query(METHOD, &[]).await.error(), (502, "UpstreamFailure"));
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let refused = alice.call("app.bsky.graph.muteActor", serde_json::json!({"actor": "did:plc:x"})).await;
    assert_eq!(refused.error(), (502, "UpstreamFailure"));
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_service_that_does_not_respond_is_not_waited_for() {
    let app_view = Upstream::start().await;
    let limits = [("PDS_PROXY_HEADERS_TIMEOUT", "200ms"), ("PDS_PROXY_BODY_TIMEOUT", "200ms")];
    let pds = TestPds::with_app_view(&app_view, &limits).await;
    let alice = pds.person("alice").await;
    app_view.silent(METHOD);
    assert_eq!(alice.query(METHOD, &[]).await.error(), (504, "UpstreamTimeout"));
    app_view.wait_for_open(0).await;
    app_view.answer(METHOD, |_| {
        let pieces = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("begin")) });
        let pieces = pieces.chain(futures::stream::pending());
        Box::pin(async move { Response::new(Body::from_stream(pieces)) })
    });
    let answer = pds.get(METHOD).bearer_auth(&alice.access).send().await.unwrap();
    assert!(answer.bytes().await.is_err());
    app_view.wait_for_open(0).await;
}

#[tokio::test]
async fn a_slow_client_is_not_taken_for_a_slow_service() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[("PDS_PROXY_HEADERS_TIMEOUT", "1s")]).await;
    let alice = pds.person("alice").await;
    const MUTE: &str = "app.bsky.graph.muteActor";
    app_view.answer(MUTE, |request| Box::pin(async move { Response::new(request.into_body()) }));
    let pieces = futures::stream::unfold(0, |n| async move {
        // Longer in all than the service may take.
        tokio::time::sleep(Duration::from_millis(300)).await;
        (n < 5).then(|| (Ok::<_, std::io::Error>(Bytes::from("piece ")), n + 1))
    });
    let request = pds.post(MUTE).bearer_auth(&alice.access).body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "piece ".repeat(5));
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_call() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    // Before the answer begins, in the middle of it, and in the middle of the request.
    app_view.silent(METHOD);
    let request = pds.get(METHOD).bearer_auth(&alice.access);
    let waiting = tokio::spawn(request.send());
    app_view.wait_for_open(1).await;
    waiting.abort();
    app_view.wait_for_open(0).await;

    app_view.endless(METHOD, 10_000);
    let answer = pds.get(METHOD).bearer_auth(&alice.access).send().await.unwrap();
    app_view.wait_for_open(1).await;
    drop(answer);
    app_view.wait_for_open(0).await;

    let pieces = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("begin")) });
    let pieces = pieces.chain(futures::stream::pending());
    let request = pds.post("app.bsky.graph.muteActor").bearer_auth(&alice.access);
    let sending = tokio::spawn(request.body(reqwest::Body::wrap_stream(pieces)).send());
    app_view.wait_for_open(1).await;
    sending.abort();
    app_view.wait_for_open(0).await;
    assert_eq!(pds.app.upstreams.under_way(), 0);
}

#[tokio::test]
async fn long_answers_and_long_requests_are_cut_off() {
    let app_view = Upstream::start().await;
    let limits = [("PDS_PROXY_MAX_RESPONSE_SIZE", "100KiB"), ("PDS_BLOB_UPLOAD_LIMIT", "100KiB")];
    let pds = TestPds::with_app_view(&app_view, &limits).await;
    let alice = pds.person("alice").await;
    app_view.answer(METHOD, |_| Box::pin(async move { Response::new(Body::from(vec![0; 200 << 10])) }));
    let refused = alice.query(METHOD, &[]).await;
    assert_eq!(refused.error(), (502, "UpstreamFailure"));
    assert_eq!(refused.body["message"], "Upstream response too large");
    app_view.endless(METHOD, 1_000);
    let answer = pds.get(METHOD).bearer_auth(&alice.access).send().await.unwrap();
    assert!(answer.bytes().await.is_err());

    let post = || pds.post("app.bsky.graph.muteActor").bearer_auth(&alice.access);
    assert_eq!(send(post().body(vec![0; 200 << 10])).await.error(), (413, "PayloadTooLargeError"));
    let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 10_000]))).take(30);
    assert_eq!(send(post().body(reqwest::Body::wrap_stream(pieces))).await.error(), (413, "PayloadTooLargeError"));
    app_view.wait_for_open(0).await;
}

#[tokio::test]
async fn one_account_and_one_slow_service_leave_room_for_others() {
    let (app_view, slow) = (Upstream::start().await, Upstream::start().await);
    let settings = [("PDS_PROXY_MAX_CALLS", "160"), ("PDS_DISABLE_SSRF_PROTECTION", "true")];
    let pds = TestPds::with_app_view(&app_view, &settings).await;
    pds.directory.add_service(OTHER, "slow", "Slow", slow.url());
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    app_view.json(METHOD, 200, &[], serde_json::json!({}));
    app_view.silent("com.example.slow");
    slow.silent("com.example.slow");
    let ask = |person: &crate::harness::Person, service: &'static str| {
        let request = pds.get("com.example.slow").bearer_auth(&person.access);
        tokio::spawn(if service.is_empty() { request } else { request.header("atproto-proxy", service) }.send())
    };
    let named: Vec<_> = (0..10).map(|_| ask(&alice, SLOW)).collect();
    slow.wait_for_open(10).await;
    let request = pds.get("com.example.slow").bearer_auth(&bob.access).header("atproto-proxy", SLOW);
    assert_eq!(send(request).await.error(), (503, "ServiceUnavailable"), "the service has its share");
    let own: Vec<_> = (0..22).map(|_| ask(&alice, "")).collect();
    app_view.wait_for_open(22).await;
    let refused = alice.query(METHOD, &[]).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"), "the account has its share");
    assert!(refused.headers.contains_key("retry-after"));
    let others = join_all((0..20).map(|_| bob.query(METHOD, &[]))).await;
    assert!(others.iter().all(|answer| answer.status == 200));
    named.iter().chain(&own).for_each(tokio::task::JoinHandle::abort);
    app_view.wait_for_open(0).await;
    assert_eq!(alice.query(METHOD, &[]).await.status, 200);
}

#[tokio::test]
async fn a_service_that_fails_again_and_again_is_left_alone_and_tried_again() {
    let (pds, count) = with_raw(b"", &[]).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    for _ in 0..4 {
        alice.query(METHOD, &[]).await;
        bob.query(METHOD, &[]).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 8);
    let refused = alice.query(METHOD, &[]).await;
    assert_eq!(refused.error(), (502, "UpstreamFailure"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(count.load(Ordering::SeqCst), 8, "it is not called");
    while count.load(Ordering::SeqCst) == 8 {
        alice.query(METHOD, &[]).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn private_addresses_are_for_the_owner_of_the_host_to_choose() {
    let (app_view, private) = (Upstream::start().await, Upstream::start().await);
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let port = private.url().rsplit(':').next().unwrap();
    for url in [private.url().to_owned(), format!("https://127.0.0.1:{port}"), format!("https://[::1]:{port}")] {
        pds.directory.add_service(OTHER, "a", "A", &url);
        let _ = pds.app.resolver.refresh_did(&OTHER.parse().unwrap()).await;
        let request = pds.get(METHOD).bearer_auth(&alice.access).header("atproto-proxy", format!("{OTHER}#a"));
        let answer = send(request).await;
        assert_eq!(answer.body["message"], "could not resolve proxy did service url", "{url}");
    }
    pds.directory.add_service(OTHER, "a", "A", &format!("https://localhost:{port}"));
    let _ = pds.app.resolver.refresh_did(&OTHER.parse().unwrap()).await;
    let request = pds.get(METHOD).bearer_auth(&alice.access).header("atproto-proxy", format!("{OTHER}#a"));
    assert_eq!(send(request).await.error(), (502, "UpstreamFailure"));
    assert!(private.seen().is_empty());
    assert_eq!(alice.query(METHOD, &[]).await.status, 501, "the app view is private too");
}
