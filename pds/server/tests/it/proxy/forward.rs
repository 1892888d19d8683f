//! What is passed on, to whom, and back.

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures::StreamExt;
use serde_json::{Value, json};

use super::token::verified;
use crate::harness::{APP_VIEW, TestPds, Upstream, send};

const METHOD: &str = "app.bsky.graph.getFollows";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

#[tokio::test]
async fn a_query_is_passed_on_with_a_service_token_and_few_headers() {
    // AL-FED-2
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let headers =
        [("atproto-repo-rev", "3lzzzzzzzzz22"), ("atproto-content-labelers", "did:plc:l"), ("set-cookie", "a=b")];
    app_view.json(METHOD, 200, &headers, json!({"follows": []}));

    let request = pds.get(METHOD).bearer_auth(&alice.access).query(&[("actor", "ü & b"), ("limit", "5")]);
    let request = request
        .header("accept-language", "de")
        .header("atproto-accept-labelers", "did:plc:l;redact")
        .header("x-atproto-one", "1")
        .header("x-bsky-topics", "cats")
        .header("cookie", "secret");
    let answer = send(request).await;

    assert_eq!(answer.headers["atproto-repo-rev"], "3lzzzzzzzzz22");
    assert_eq!(answer.headers["atproto-content-labelers"], "did:plc:l");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(!answer.headers.contains_key("set-cookie"));
    assert_eq!(answer.ok(), json!({"follows": []}));
    let seen = app_view.last();
    assert_eq!(seen.path, format!("/xrpc/{METHOD}?actor=%C3%BC+%26+b&limit=5"));
    let sent: Vec<_> =
        ["accept-language", "atproto-accept-labelers", "x-atproto-one", "x-bsky-topics", "accept-encoding"]
            .iter()
            .map(|name| seen.header(name))
            .collect();
    assert_eq!(sent, ["de", "did:plc:l;redact", "1", "cats", "gzip"]);
    assert!(!seen.headers.contains_key("cookie") && !seen.headers.contains_key("x-forwarded-for"));
    let claims = verified(&pds, &alice, seen.token(), APP_VIEW, Some(METHOD)).await;
    assert_eq!(
        (&claims["iss"], claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()),
        (&json!(alice.did), 60)
    );

    // The same question is asked with the same token, another one with another.
    alice.query(METHOD, &[]).await.ok();
    assert_eq!(app_view.last().token(), seen.token());
    app_view.json("app.bsky.graph.getBlocks", 200, &[], json!({}));
    alice.query("app.bsky.graph.getBlocks", &[]).await.ok();
    assert_ne!(app_view.last().token(), seen.token());
}

#[tokio::test]
async fn a_procedure_is_passed_on_byte_by_byte_with_a_token_of_its_own() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    const MUTE: &str = "app.bsky.graph.muteActor";
    app_view.answer(MUTE, |request| Box::pin(async move { Response::new(request.into_body()) }));
    let body = br#"{"actor":  "did:plc:x", "extra": "\u0000"}"#;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let request =
            pds.post(MUTE).bearer_auth(&alice.access).header("content-type", "application/json; charset=utf-8");
        let answer = request.body(&body[..]).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), &body[..]);
        let seen = app_view.last();
        assert_eq!((&seen.body[..], seen.header("content-type")), (&body[..], "application/json; charset=utf-8"));
        assert_eq!(seen.header("content-length"), body.len().to_string());
        verified(&pds, &alice, seen.token(), APP_VIEW, Some(MUTE)).await;
        tokens.push(seen.token().to_owned());
    }
    assert_ne!(tokens[0], tokens[1]);
    // Without a length, and without a body.
    let pieces = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 5_000]))));
    let request = pds.post(MUTE).bearer_auth(&alice.access).body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap().len(), 500_000);
    assert_eq!(pds.post(MUTE).bearer_auth(&alice.access).send().await.unwrap().status(), 200);
    assert!(app_view.last().body.is_empty());
}

#[tokio::test]
async fn each_method_goes_to_its_service() {
    let (app_view, moderation, report, other) =
        (Upstream::start().await, Upstream::start().await, Upstream::start().await, Upstream::start().await);
    let settings = [
        ("PDS_MOD_SERVICE_URL", moderation.url()),
        ("PDS_MOD_SERVICE_DID", "did:web:mod.example.com"),
        ("PDS_REPORT_SERVICE_URL", report.url()),
        ("PDS_REPORT_SERVICE_DID", "did:web:report.example.com"),
        ("PDS_DISABLE_SSRF_PROTECTION", "true"),
    ];
    let pds = TestPds::with_app_view(&app_view, &settings).await;
    pds.directory.add_service(OTHER, "bsky_chat", "BskyChatService", other.url());
    let alice = pds.person("alice").await;
    let ask = async |method: &str, service: &str| {
        let request = pds.get(method).bearer_auth(&alice.access);
        let request = if service.is_empty() { request } else { request.header("atproto-proxy", service) };
        send(request).await.error().0
    };
    // Those that nobody has taught the services are answered 501.
    assert_eq!(ask("app.bsky.unspecced.getConfig", "").await, 501);
    assert_eq!(ask("com.atproto.label.queryLabels", "").await, 501);
    assert_eq!(ask("com.example.one", &format!("{APP_VIEW}#bsky_appview")).await, 501);
    assert_eq!(app_view.seen().len(), 3);
    assert_eq!(ask("tools.ozone.moderation.getEvent", "").await, 501);
    assert_eq!(ask("com.example.one", "did:web:mod.example.com#atproto_labeler").await, 501);
    assert_eq!(moderation.seen().len(), 2);
    verified(&pds, &alice, moderation.last().token(), "did:web:mod.example.com", Some("com.example.one")).await;
    assert_eq!(ask("chat.bsky.convo.listConvos", &format!("{OTHER}#bsky_chat")).await, 501);
    verified(&pds, &alice, other.last().token(), OTHER, Some("chat.bsky.convo.listConvos")).await;
    assert!(report.seen().is_empty());

    for (service, message) in [
        (OTHER.to_owned(), "no service id specified in proxy header"),
        ("#a".to_owned(), "no did specified in proxy header"),
        (format!("{OTHER}#a#b"), "invalid proxy header format"),
        (format!("{OTHER}#bsky_fg"), "could not resolve proxy did service url"),
        ("did:plc:ewvi7nxzyoun6zhxrhs64oiz#a".to_owned(), "could not resolve proxy did"),
        ("did:key:zQ3s#a".to_owned(), "could not resolve proxy did"),
    ] {
        let request = pds.get("com.example.one").bearer_auth(&alice.access).header("atproto-proxy", &service);
        let answer = send(request).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{service}");
        assert_eq!(answer.body["message"], message, "{service}");
    }
}

#[tokio::test]
async fn what_manages_an_account_goes_nowhere() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    for method in ["com.atproto.IDENTITY.signPlcOperation", "com.atproto.SERVER.deactivateaccount"] {
        let answer = alice.call(method, json!({})).await;
        assert_eq!(answer.error(), (400, "InvalidToken"), "{method}");
        assert_eq!(answer.body["message"], "Bad token method");
    }
    assert_eq!(send(pds.get(METHOD)).await.error(), (401, "AuthMissing"));
    assert_eq!(send(pds.get(METHOD).bearer_auth(&alice.refresh)).await.error(), (400, "InvalidToken"));
    let answer = send(pds.http.put(format!("{}/xrpc/{METHOD}", pds.url)).bearer_auth(&alice.access)).await;
    assert_eq!(answer.body["message"], "XRPC requests only supports GET and POST");
    assert!(app_view.seen().is_empty());
}

#[tokio::test]
async fn refusals_come_back_with_status_name_and_message() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let refusal = json!({"error": "BlockedActor", "message": "Requester has blocked actor", "stack": "secret"});
    app_view.json(METHOD, 400, &[("retry-after", "7")], refusal);
    let answer = alice.query(METHOD, &[]).await;
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, json!({"error": "BlockedActor", "message": "Requester has blocked actor"}));
    app_view.json(METHOD, 500, &[], json!({"error": "InternalServerError", "message": "oops"}));
    assert_eq!(alice.query(METHOD, &[]).await.error(), (502, "InternalServerError"));
    for (status, body, name) in [
        (404, "<html>", "XRPCNotSupported"),
        (403, "{", "Forbidden"),
        (429, "[]", "RateLimitExceeded"),
        (503, r#"{"error": 5}"#, "NotEnoughResources"),
        (418, "", "InvalidRequest"),
        (500, "", "UpstreamFailure"),
    ] {
        app_view.answer(METHOD, move |_| {
            let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
            Box::pin(async move {
                Response::builder().status(status).header("content-type", kind).body(Body::from(body)).unwrap()
            })
        });
        let answer = alice.query(METHOD, &[]).await;
        assert_eq!(answer.error(), (if status == 500 { 502 } else { status }, name));
    }
}

#[tokio::test]
async fn answers_come_back_as_they_are() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    // Of any kind, coding and length.
    app_view.answer(METHOD, |_| {
        Box::pin(async move {
            let response =
                Response::builder().header("content-type", "image/x-any").header("content-encoding", "x-odd");
            response.header("content-language", "de").body(Body::from(vec![7; 300_000])).unwrap()
        })
    });
    let request = pds.get(METHOD).bearer_auth(&alice.access).header("accept-encoding", "x-odd, br;q=0.5");
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("content-encoding")), ("image/x-any".into(), "x-odd".into()));
    assert_eq!((header("content-language"), header("content-length")), ("de".into(), "300000".into()));
    assert_eq!(answer.bytes().await.unwrap(), vec![7; 300_000]);
    assert_eq!(app_view.last().header("accept-encoding"), "x-odd, br;q=0.5");
    let head = pds.http.head(format!("{}/xrpc/{METHOD}", pds.url)).bearer_auth(&alice.access).send().await.unwrap();
    assert_eq!(
        (head.status(), head.headers()["content-length"].to_str().unwrap()),
        (200.try_into().unwrap(), "300000")
    );
    assert_eq!(app_view.last().method, "HEAD");
}

#[tokio::test]
async fn an_answer_arrives_while_it_is_made() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Result<Bytes, std::io::Error>>();
    let receiver = std::sync::Mutex::new(Some(receiver));
    app_view.answer(METHOD, move |_| {
        let pieces = receiver.lock().unwrap().take().unwrap();
        let pieces = tokio_stream::wrappers::UnboundedReceiverStream::new(pieces);
        Box::pin(async move { Response::new(Body::from_stream(pieces)) })
    });
    sender.send(Ok("one".into())).unwrap();
    let answer = pds.get(METHOD).bearer_auth(&alice.access).send().await.unwrap();
    let mut pieces = answer.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "one");
    sender.send(Ok("two".into())).unwrap();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "two");
    drop(sender);
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn records_of_other_hosts_come_from_the_app_view() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    const RECORD: &str = "com.atproto.repo.getRecord";
    let record = json!({"uri": "at://did:plc:x/a.b.c/1", "cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq", "value": {}});
    app_view.json(RECORD, 200, &[], record.clone());
    let params = |repo| [("repo", repo), ("collection", "a.b.c"), ("rkey", "1")];
    assert_eq!(pds.query(RECORD, &params("did:plc:x")).await.ok(), record);
    let seen = app_view.last();
    assert!(!seen.headers.contains_key("authorization") && seen.path.contains("repo=did%3Aplc%3Ax"));
    // Nobody makes this server call others without an account.
    let request = pds.get(RECORD).query(&params("did:plc:x")).header("atproto-proxy", format!("{OTHER}#bsky_appview"));
    assert_eq!(send(request).await.ok(), record);
    assert_eq!(pds.query(RECORD, &params(&alice.did)).await.error(), (400, "RecordNotFound"));
    assert_eq!(app_view.seen().len(), 2);
    let gone: Value = json!({"error": "RecordNotFound", "message": "gone"});
    app_view.json(RECORD, 400, &[], gone.clone());
    assert_eq!(pds.query(RECORD, &params("did:plc:x")).await.body, gone);
}
