//! Relays are asked to crawl: F10.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};

use crate::{
    command::process::Pds,
    harness::{Database, TestPds, send},
};

/// A relay that writes down what it is asked, and refuses as often as it is told to.
#[derive(Clone, Default)]
struct Relay {
    asked: Arc<Mutex<Vec<Value>>>,
    refusals: Arc<Mutex<usize>>,
}

impl Relay {
    async fn start(&self) -> String {
        let crawl = async |State(relay): State<Relay>, Json(input): Json<Value>| {
            relay.asked.lock().unwrap().push(input);
            let mut refusals = relay.refusals.lock().unwrap();
            let refused = *refusals > 0;
            *refusals = refusals.saturating_sub(1);
            if refused { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
        };
        let routes = Router::new().route("/xrpc/com.atproto.sync.requestCrawl", post(crawl)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[tokio::test]
async fn relays_are_asked_at_the_start_and_after_writes_but_not_too_often() {
    let relay = Relay::default();
    let url = relay.start().await;
    let pds = TestPds::with(Database::postgres().await, &[("PDS_CRAWLERS", &url)]).await;
    pds.clock.freeze();
    let alice = pds.person("alice").await;
    let other = pds.replica_with(&[("PDS_CRAWLERS", &url)]).await;
    other.clock.freeze();
    let (mut here, mut there) = (pds.app.crawl(), other.app.crawl());
    for _ in 0..3 {
        here.step().await.unwrap();
        there.step().await.unwrap();
    }
    assert_eq!(*relay.asked.lock().unwrap(), [json!({"hostname": "pds.test"})], "one replica, once");

    alice.post("hello").await;
    for minutes in [10, 9, 2] {
        for clock in [&pds.clock, &other.clock] {
            clock.forward(Duration::from_secs(60 * minutes));
        }
        here.step().await.unwrap();
        there.step().await.unwrap();
    }
    assert_eq!(relay.asked(), 2);
}

#[tokio::test]
async fn a_relay_that_does_not_answer_is_asked_again() {
    let relay = Relay::default();
    *relay.refusals.lock().unwrap() = 2;
    let url = relay.start().await;
    let pds = TestPds::with(Database::sqlite(), &[("PDS_CRAWLERS", &url)]).await;
    pds.clock.freeze();
    let success = async || {
        let text = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
        let text = text.as_str().unwrap().to_owned();
        text.lines().any(|line| line.starts_with("aurora_crawl_last_success_timestamp_seconds "))
    };
    let mut crawl = pds.app.crawl();
    for (seconds, asked) in [(0, 1), (10, 1), (30, 2), (30, 2), (60, 3), (600, 3)] {
        assert!(asked == 3 || !success().await);
        pds.clock.forward(Duration::from_secs(seconds));
        crawl.step().await.unwrap();
        assert_eq!(relay.asked(), asked, "{seconds}");
    }
    assert!(success().await);
}

#[tokio::test]
async fn a_server_asks_when_it_starts() {
    let (relay, folder) = (Relay::default(), tempfile::tempdir().unwrap());
    let url = relay.start().await;
    let _pds = Pds::start(folder.path(), &[("PDS_CRAWLERS", url.as_str())]).await;
    let asked = async {
        while relay.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the relay is asked");
    assert_eq!(relay.asked.lock().unwrap()[0], json!({"hostname": "localhost"}));
}
