//! What surrounds the methods: health, CORS, request ids, logs, metrics, compression, and errors that keep secrets.

mod fuzz;
mod greedy;
mod health;
mod input;
mod method_limit;
mod methods;
mod rate_limit;
mod slow;
mod states;
mod upload_limit;

use std::{
    io::Read as _,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use pds_server::app::DatabaseAnswer;
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    harness::{TestPds, send},
    on_both,
};

on_both!(readiness_names_what_is_away, |pds| async move {
    // AL-OBS-4
    for url in [&pds.url, &pds.metrics_url] {
        let answer = send(pds.http.get(format!("{url}/readyz"))).await;
        assert_eq!((answer.status.as_u16(), &answer.body["ready"]), (200, &json!(true)), "{}", answer.body);
    }
    assert!(pds.query("_health", &[]).await.ok()["version"].is_string());

    // F50: what needs no blob goes on without the blob store.
    pds.blobs.away.store(true, Ordering::Relaxed);
    *pds.app.database_answer.lock().await = None;
    let answer = send(pds.http.get(format!("{}/readyz", pds.url))).await;
    assert_eq!((answer.status.as_u16(), &answer.body["checks"]), (200, &json!({"server": "ok", "database": "ok"})));

    pds.app.db.close().await;
    *pds.app.database_answer.lock().await = None;
    let answer = send(pds.http.get(format!("{}/readyz", pds.url))).await;
    assert_eq!((answer.status.as_u16(), &answer.body["checks"]["database"]), (503, &json!("unavailable")));
    assert_eq!(pds.query("_health", &[]).await.status, 503);
    // Alive all the while, and methods ask to come again.
    assert_eq!(send(pds.http.get(format!("{}/livez", pds.url))).await.status, 200);
    let answer = pds.query("com.atproto.sync.listRepos", &[]).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable"));
    assert!(answer.headers.contains_key("retry-after"));
});

/// F29
#[tokio::test]
async fn the_database_is_asked_once_for_all_who_ask_within_a_second() {
    let pds = TestPds::sqlite().await;
    let urls = [&pds.url, &pds.metrics_url].map(|url| format!("{url}/readyz"));
    assert_eq!(send(pds.http.get(&urls[0])).await.status, 200);
    let asked = pds.app.database_answer.lock().await.unwrap();
    assert_eq!(asked.answer, Ok(()));
    // An answer that stays young.
    let at = Instant::now() + Duration::from_secs(3600);
    *pds.app.database_answer.lock().await = Some(DatabaseAnswer { at, answer: Err("as told before") });
    for url in &urls {
        let answer = send(pds.http.get(url)).await;
        assert_eq!((answer.status.as_u16(), &answer.body["checks"]["database"]), (503, &json!("as told before")));
    }
    assert_eq!(pds.query("_health", &[]).await.status, 503);
    // One that is old.
    let at = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
    *pds.app.database_answer.lock().await = Some(DatabaseAnswer { at, answer: Err("as told before") });
    assert_eq!(send(pds.http.get(&urls[1])).await.status, 200);
}

/// F50
#[tokio::test]
async fn metrics_tell_whether_the_blob_store_answers() {
    let pds = TestPds::sqlite().await;
    let line = async |name: &str| {
        let text = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
        let found = text.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        found.map(|value| value.trim().to_owned())
    };
    assert_eq!(line("aurora_blob_store_up ").await, None, "not known yet");
    pds.ask_blob_store().await.unwrap();
    assert_eq!(line("aurora_blob_store_up ").await.as_deref(), Some("1"));
    let success = line("aurora_blob_store_last_success_timestamp_seconds ").await.unwrap();
    assert!(success.parse::<i64>().unwrap() > 1_700_000_000, "{success}");

    pds.blobs.away.store(true, Ordering::Relaxed);
    assert!(pds.ask_blob_store().await.is_err());
    assert_eq!(line("aurora_blob_store_up ").await.as_deref(), Some("0"));
    assert_eq!(line("aurora_blob_store_last_success_timestamp_seconds ").await.as_deref(), Some(success.as_str()));
}

/// F64
#[tokio::test]
async fn metrics_tell_that_the_volume_of_the_database_is_full() {
    let pds = TestPds::postgres().await;
    let alice = pds.person("alice").await;
    let tells = async |value: u8| {
        let text = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
        let line = format!("aurora_database_full {value}");
        // The volume of the server's folder says nothing of Postgres'.
        let text = text.as_str().unwrap();
        assert!(text.lines().any(|found| found == line) && !text.contains("aurora_data_volume"), "{line} in {text}");
        let size = text.lines().find_map(|line| line.strip_prefix("aurora_database_size_bytes "));
        assert!(size.is_some_and(|size| size.parse::<i64>().is_ok_and(|bytes| bytes > 1_000_000)), "{text}");
    };
    tells(0).await;
    pds.database.psql(
        "create function full_volume() returns trigger language plpgsql as \
         $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$",
    );
    pds.database.psql("create trigger full_volume before insert on record execute function full_volume()");
    let refused = alice.create("com.example.thing", json!({"a": 1})).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"));
    tells(1).await;
    pds.database.psql("drop trigger full_volume on record");
    alice.create("com.example.thing", json!({"a": 1})).await.ok();
    tells(0).await;
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready() {
    let pds = TestPds::sqlite().await;
    let mut firehose = pds.firehose(None).await;
    pds.app.shutdown.cancel();
    let answer = send(pds.http.get(format!("{}/readyz", pds.url))).await;
    assert_eq!((answer.status.as_u16(), &answer.body["checks"]["server"]), (503, &json!("stopping")));
    assert_eq!(pds.query("com.atproto.server.describeServer", &[]).await.status, 200);
    assert!(firehose.ends().await);
}

#[tokio::test]
async fn a_broken_database_tells_nothing() {
    // AL-ACC-6
    let pds = TestPds::postgres().await;
    let alice = pds.person("alice").await;
    pds.database.psql("drop table refresh_token cascade");
    let input = json!({"identifier": alice.handle, "password": "correct horse"});
    let answer = send(pds.post("com.atproto.server.createSession").json(&input)).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.body, json!({"error": "InternalServerError", "message": "Internal Server Error"}));
    assert!(answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn any_web_page_may_call() {
    // AL-ACC-6
    let pds = TestPds::sqlite().await;
    let url = format!("{}/xrpc/com.atproto.repo.createRecord", pds.url);
    let preflight = pds.http.request(Method::OPTIONS, url).header("origin", "https://app.example.com");
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,atproto-proxy");
    let answer = send(preflight).await;
    assert_eq!(answer.status, 200);
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-headers"), "authorization,content-type,atproto-proxy");
    assert_eq!(header("access-control-max-age"), "86400");
    assert!(header("access-control-allow-methods").contains("POST"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));

    // F23: what a player needs to go on in the middle.
    let get = send(pds.get("com.atproto.server.describeServer").header("origin", "https://app.example.com")).await;
    let exposed = get.headers["access-control-expose-headers"].to_str().unwrap().to_owned();
    for name in ["content-range", "accept-ranges", "etag"] {
        assert!(exposed.split(',').any(|header| header.trim() == name), "{name} in {exposed}");
    }
}

/// F24
#[tokio::test]
async fn a_name_is_the_same_in_every_spelling_and_others_are_not_served() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let ask = async |path: &str, host: &str| {
        let answer = send(pds.http.get(format!("{}{path}", pds.url)).header("host", host)).await;
        (answer.status.as_u16(), answer.body)
    };
    for host in ["alice.pds.test", "alice.pds.test.", "ALICE.pds.test:443"] {
        assert_eq!(ask("/.well-known/atproto-did", host).await, (200, json!(alice.did)), "{host}");
    }
    for host in ["pds.test", "PDS.TEST", "pds.test.:8443"] {
        assert_eq!(ask("/.well-known/did.json", host).await.0, 200, "{host}");
    }
    let method = "/xrpc/com.atproto.server.describeServer";
    for host in ["pds.test", "PDS.TEST.", "alice.pds.test", "127.0.0.1:1", "[::1]", "localhost", "pds.default.svc"] {
        assert_eq!(ask(method, host).await.0, 200, "{host}");
    }
    for host in ["evil.example", "pds.test.evil.example", "notpds.test"] {
        let (status, body) = ask(method, host).await;
        assert_eq!((status, &body["error"]), (421, &json!("MisdirectedRequest")), "{host}");
        for path in ["/xrpc/_health", "/livez", "/readyz", "/"] {
            assert_eq!(ask(path, host).await.0, 200, "{path} of {host}");
        }
    }
}

#[tokio::test]
async fn no_cache_keeps_what_one_caller_was_told() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let told = alice.query("com.atproto.server.getSession", &[]).await;
    let refused = pds.query("com.atproto.server.getSession", &[]).await;
    for answer in [told, refused] {
        assert_eq!(answer.headers["cache-control"], "private");
        assert!(answer.headers.get_all("vary").iter().any(|value| value == "authorization"));
    }
    let public = pds.query("com.atproto.server.describeServer", &[]).await;
    assert!(!public.headers.contains_key("cache-control"));
}

#[tokio::test]
async fn whoever_sends_too_much_gets_an_answer() {
    // As a client that sends everything before it looks: more than fits into any buffer on the way.
    let pds = TestPds::sqlite().await;
    let host = pds.url.trim_start_matches("http://");
    let say = async |method: &str, kind: &str| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let body = vec![b'x'; 24 << 20];
        let head = format!(
            "POST /xrpc/{method} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(say("com.atproto.server.createSession", "application/json").await, "HTTP/1.1 413");
    assert_eq!(say("com.atproto.repo.uploadBlob", "image/png").await, "HTTP/1.1 401");
    assert_eq!(say("com.example.unknown", "application/json").await, "HTTP/1.1 400");
}

#[tokio::test]
async fn a_path_that_can_name_no_method_is_refused() {
    let pds = TestPds::sqlite().await;
    for path in ["", "com.example.one/two", "com.example.o$e", "com.example.%6Fne"] {
        assert_eq!(pds.query(path, &[]).await.error(), (400, "InvalidRequest"), "{path}");
    }
    let answer = pds.query("com.example.one", &[]).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"));
    assert_eq!(answer.body["message"], "No service configured for com.example.one");
}

#[tokio::test]
async fn a_trusted_proxy_names_the_request() {
    // AL-OBS-2: tests come from loopback, which is trusted.
    let pds = TestPds::sqlite().await;
    let id = async |given: &str| {
        let request = pds.get("com.atproto.server.describeServer").header("x-request-id", given);
        send(request).await.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id("from-the-proxy").await, "from-the-proxy");
    assert_ne!(id("two words").await, "two words");
    assert_ne!(id(&"x".repeat(200)).await, "x".repeat(200));
}

#[tokio::test]
async fn answers_are_compressed_and_blobs_are_not() {
    // AL-SYN-3
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let text = b"the same words again and again ".repeat(100);
    let blob = alice.upload(text.clone(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.thing", json!({"$type": "com.example.thing", "file": blob})).await.ok();

    // Answers as they are on the wire.
    let raw = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = async |method: &str, coding: &str, params: &[(&str, &str)]| {
        let request = raw.get(format!("{}/xrpc/{method}", pds.url)).query(params).header("accept-encoding", coding);
        request.send().await.unwrap()
    };
    for coding in ["gzip", "zstd"] {
        let car = ask("com.atproto.sync.getRepo", coding, &[("did", &alice.did)]).await;
        assert_eq!(car.headers()["content-encoding"], coding);
    }
    let plain = alice.car().await;
    let zipped = ask("com.atproto.sync.getRepo", "gzip", &[("did", &alice.did)]).await.bytes().await.unwrap();
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(&*zipped).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, plain);
    let cid = blob["ref"]["$link"].as_str().unwrap();
    let answer = ask("com.atproto.sync.getBlob", "gzip, zstd", &[("did", &alice.did), ("cid", cid)]).await;
    assert!(!answer.headers().contains_key("content-encoding"));
    assert_eq!(answer.headers()["content-length"], text.len().to_string());
    assert_eq!(answer.bytes().await.unwrap(), text);
}

on_both!(metrics_count_without_naming_anybody, |pds| async move {
    // AL-OBS-1
    let alice = pds.person("alice").await;
    alice.post("hello").await;
    let wrong = json!({"identifier": alice.handle, "password": "wrong"});
    send(pds.post("com.atproto.server.createSession").json(&wrong)).await;
    pds.query("com.example.one", &[]).await;
    pds.query("com.example.two", &[]).await;
    let made_up = Method::from_bytes(b"BREW").unwrap();
    send(pds.http.request(made_up, format!("{}/coffee", pds.url))).await;

    let scraped = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await;
    assert_eq!(scraped.status, 200);
    let text = scraped.body.as_str().unwrap();
    for line in [
        "aurora_http_requests_total{method=\"POST\",route=\"com.atproto.repo.createRecord\",status=\"200\"} 1",
        "aurora_http_requests_total{method=\"GET\",route=\"{method}\",status=\"400\"} 2",
        "aurora_http_requests_total{method=\"other\",route=\"unknown\",status=\"404\"} 1",
        "aurora_http_request_duration_seconds_count{method=\"POST\",route=\"com.atproto.repo.createRecord\",status=\"200\"} 1",
        "aurora_auth_failures_total{reason=\"password\"} 1",
        "aurora_accounts 1",
        "aurora_repo_commits_total 1",
        "aurora_commits_waiting 0",
        "aurora_event_head 5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    for state in ["active", "idle", "max"] {
        assert!(text.contains(&format!("aurora_db_connections{{state=\"{state}\"}}")), "{state}");
    }
    for family in ["aurora_db_wait_seconds_total", "aurora_db_waits_total", "aurora_http_connections"] {
        assert!(text.contains(family), "{family} in\n{text}");
    }
    for secret in [&alice.did, "alice", "example.com", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    assert_eq!(send(pds.http.get(format!("{}/metrics", pds.url))).await.status, 404, "not on the public port");
});
