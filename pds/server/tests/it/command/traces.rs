//! Traces at a collector.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{Pds, run},
};
use crate::harness::{Collector, Database, Place, TestPds, Traced, Upstream, free_port, send};

const PARENT: &str = "00f067aa0ba902b7";

/// The header of a request that a proxy traces.
fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{PARENT}-01")
}

fn trace() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The names of the spans around a span, from the inside out, without itself.
fn around<'a>(spans: &'a [Traced], mut of: &'a Traced) -> Vec<&'a str> {
    let mut names = Vec::new();
    while let Some(parent) = spans.iter().find(|span| span.id == of.parent) {
        names.push(parent.name.as_str());
        of = parent;
    }
    names
}

fn named<'a>(spans: &'a [Traced], name: &'a str) -> impl Iterator<Item = &'a Traced> {
    spans.iter().filter(move |span| span.name.starts_with(name))
}

#[tokio::test]
async fn a_request_is_one_trace_through_sql_and_s3_and_on_to_the_app_view() {
    // AL-OBS-5
    let directory = std::env::var("AURORA_TEST_PLC_URL");
    let directory = directory.expect("AURORA_TEST_PLC_URL is not set: run `make test`, which starts a directory");
    for database in [None, Some(Database::postgres().await)] {
        let (collector, app_view, place) = (Collector::start().await, Upstream::start().await, Place::s3());
        let folder = tempfile::tempdir().unwrap();
        let mut settings = [place.settings(), app_view.as_app_view()].concat();
        settings.extend(SECRETS.map(|(name, value)| (name, value.to_owned())));
        settings.extend(database.iter().map(|database| ("PDS_DATABASE_URL", database.url.clone())));
        settings.extend(
            [
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url().as_str()),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
                ("OTEL_SERVICE_NAME", "pds-of-a-test"),
                ("OTEL_BSP_SCHEDULE_DELAY", "50"),
                ("PDS_TRUSTED_PROXIES", "127.0.0.0/8"),
                ("PDS_DID_PLC_URL", directory.as_str()),
                ("PDS_INVITE_REQUIRED", "false"),
                ("PDS_RATE_LIMITS_ENABLED", "false"),
            ]
            .map(|(name, value)| (name, value.to_owned())),
        );
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert!(database.is_none() || run(folder.path(), &["migrate"], &settings).status.success());
        let pds = Pds::start(folder.path(), &settings).await;
        let call = |method: Method, name: &str, trace: &str| {
            pds.request(method, &format!("/xrpc/{name}")).header("traceparent", traceparent(trace))
        };
        let input = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
        let session = send(call(Method::POST, "com.atproto.server.createAccount", &trace()).json(&input)).await.ok();
        let access = session["accessJwt"].as_str().unwrap();

        let upload = trace();
        let request = call(Method::POST, "com.atproto.repo.uploadBlob", &upload).bearer_auth(access);
        send(request.header("content-type", "text/plain").body("a blob")).await.ok();
        let is_complete = |spans: &[Traced]| spans.iter().any(|span| span.parent == PARENT);
        let spans = collector.until(&upload, is_complete).await;
        let request = spans.iter().find(|span| span.parent == PARENT).unwrap();
        assert_eq!((request.name.as_str(), request.service.as_str()), ("com.atproto.repo.uploadBlob", "pds-of-a-test"));
        assert_eq!(request.attributes["http.request.method"], "POST");
        for name in ["account::", "blob::", "s3 write"] {
            let found: Vec<_> = named(&spans, name).collect();
            assert!(!found.is_empty(), "{name}: {spans:#?}");
            for span in found {
                assert_eq!(around(&spans, span).last(), Some(&request.name.as_str()), "{span:?} in {spans:#?}");
            }
        }

        let write = trace();
        let record =
            json!({"repo": session["did"], "collection": "com.example.thing", "record": {"text": "words of a record"}});
        send(call(Method::POST, "com.atproto.repo.createRecord", &write).bearer_auth(access).json(&record)).await.ok();
        let is_committed = |spans: &[Traced]| is_complete(spans) && named(spans, "commit batch").next().is_some();
        let spans = collector.until(&write, is_committed).await;
        let commit = named(&spans, "dialect::").find(|span| span.name.contains("::commit::")).unwrap();
        assert_eq!(around(&spans, commit), ["commit batch", "com.atproto.repo.createRecord"], "{spans:#?}");

        // The service sees the span of the call.
        let proxied = trace();
        app_view.json("app.bsky.graph.getLists", 200, &[], json!({"lists": []}));
        let request = call(Method::GET, "app.bsky.graph.getLists?actor=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", &proxied);
        send(request.bearer_auth(access)).await.ok();
        let spans = collector.until(&proxied, is_complete).await;
        let outgoing = named(&spans, "call app_view").next().unwrap();
        assert_eq!(around(&spans, outgoing), ["{method}"], "{spans:#?}");
        let seen = app_view.seen().pop().unwrap();
        assert_eq!(seen.header("traceparent"), format!("00-{proxied}-{}-01", outgoing.id));

        let told = format!("{:?}", collector.spans());
        let log = pds.log();
        for secret in [
            access,
            session["did"].as_str().unwrap(),
            "alice",
            "correct horse",
            "hunter2",
            "words of a record",
            "did:plc:",
            "127.0.0.1",
        ] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        assert!(!log.contains("hunter2"), "{log}");
        assert!(collector.headers().iter().all(|headers| headers["authorization"] == "Bearer hunter2"));
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert!(lines.filter(|line| line.get("status").is_some()).count() >= 4, "{log}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_warning_and_is_found_again() {
    // AL-OBS-5
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let endpoint = format!("http://127.0.0.1:{port}/");
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("PDS_RATE_LIMITS_ENABLED", "false"),
    ];
    let pds = Pds::start(folder.path(), &settings).await;
    let ask = || send(pds.request(Method::GET, "/xrpc/com.atproto.sync.listRepos"));
    let exports = async |result: &str| {
        let (metrics, name) = (pds.metrics().await, format!("aurora_trace_exports_total{{result=\"{result}\"}} "));
        let line = metrics.lines().find_map(|line| line.strip_prefix(&*name).map(str::to_owned));
        line.unwrap().parse::<u64>().unwrap()
    };
    let patience = Instant::now() + Duration::from_secs(60);
    while exports("failure").await < 2 {
        assert!(Instant::now() < patience, "{}", pds.log());
        ask().await.ok();
    }
    assert_eq!(exports("success").await, 0);
    let collector = Collector::on(port).await;
    while collector.spans().is_empty() {
        assert!(Instant::now() < patience, "{}", pds.log());
        ask().await.ok();
    }
    while exports("success").await == 0 {
        assert!(Instant::now() < patience, "{}", pds.log());
    }
    let (log, text) = (pds.log(), "does not take traces");
    assert_eq!((log.matches(text).count(), log.matches("takes traces again").count()), (1, 1), "{log}");
    // What is left is sent at the end.
    pds.terminate();
    assert!(pds.ended().await.success());
}

#[tokio::test]
async fn requests_are_traced_as_the_sampler_says() {
    // AL-OBS-5
    for (sampler, argument, proxies, expected) in [
        ("parentbased_always_off", "1", "127.0.0.0/8", 1),
        ("parentbased_traceidratio", "0", "127.0.0.0/8", 1),
        ("always_off", "1", "127.0.0.0/8", 0),
        ("traceidratio", "1", "127.0.0.0/8", 4),
        // Whoever is no proxy does not decide, and does not choose the trace.
        ("parentbased_always_off", "1", "none", 0),
        ("always_on", "1", "none", 4),
    ] {
        let (collector, folder) = (Collector::start().await, tempfile::tempdir().unwrap());
        let endpoint = collector.url();
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", argument),
            ("PDS_TRUSTED_PROXIES", proxies),
        ];
        let pds = Pds::start(folder.path(), &settings).await;
        let ask = || pds.request(Method::GET, "/xrpc/com.atproto.sync.listRepos");
        let named = trace();
        send(ask().header("traceparent", traceparent(&named))).await.ok();
        for _ in 0..3 {
            send(ask()).await.ok();
        }
        pds.terminate();
        assert!(pds.ended().await.success());
        let requests = collector.spans().into_iter().filter(|span| span.name == "com.atproto.sync.listRepos");
        let traces: BTreeSet<_> = requests.map(|span| span.trace).collect();
        assert_eq!(traces.len(), expected, "{sampler} {argument} {proxies}");
        assert_eq!(traces.contains(&named), expected > 0 && proxies != "none", "{sampler} {argument} {proxies}");
    }
}

#[tokio::test]
async fn without_a_collector_nothing_is_traced() {
    let app_view = Upstream::start().await;
    app_view.json("app.bsky.graph.getLists", 200, &[], json!({"lists": []}));
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let request = pds.get("app.bsky.graph.getLists").bearer_auth(&alice.access);
    send(request.header("traceparent", traceparent(&trace()))).await.ok();
    assert_eq!(app_view.seen().pop().unwrap().header("traceparent"), "");
    let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
    assert!(!metrics.as_str().unwrap().contains("aurora_trace_exports"), "{metrics}");
}
