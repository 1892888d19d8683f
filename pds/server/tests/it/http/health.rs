//! `/health` and its like, on the metrics port.

use std::{sync::atomic::Ordering, time::Instant};

use serde_json::{Value, json};

use super::rate_limit::{limited, wait_for};
use crate::{
    harness::{Answer, Redis, TestPds, free_port, send},
    on_both,
};

async fn ask(pds: &TestPds, path: &str) -> Answer {
    send(pds.http.get(format!("{}{path}", pds.metrics_url))).await
}

async fn part(pds: &TestPds, name: &str) -> Value {
    ask(pds, "/health").await.body["parts"][name].clone()
}

on_both!(the_state_of_each_part_is_told, |pds| async move {
    // AL-OBS-4
    let alice = pds.person("alice").await;
    alice.create("com.example.thing", json!({"a": 1})).await.ok();
    let answer = ask(&pds, "/health").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body["version"].is_string() && answer.body["uptimeSeconds"].is_u64(), "{}", answer.body);
    let parts = &answer.body["parts"];
    for name in ["database", "blobStore", "sequencer", "committer", "mail", "redis"] {
        assert_eq!((&parts[name]["ok"], &parts[name]["lastError"]), (&json!(true), &Value::Null), "{name}: {parts}");
    }
    for name in ["database", "blobStore", "sequencer"] {
        assert!(parts[name]["latencyMs"].as_f64().unwrap() >= 0.0, "{name}: {parts}");
    }
    assert!(["sqlite", "postgres"].iter().any(|kind| parts["database"]["kind"] == *kind), "{parts}");
    assert!(parts["sequencer"]["newestEvent"].as_i64().unwrap() > 0, "{parts}");
    assert_eq!((&parts["redis"]["configured"], &parts["mail"]["configured"]), (&json!(false), &json!(false)));
    // The folder of blobs of these tests does not exist.
    assert!(parts["disk"]["lastError"]["message"].as_str().unwrap().starts_with("the volume of the "), "{parts}");
    assert!(parts["disk"]["volumes"][0]["availableBytes"].as_u64().unwrap() > 0, "{parts}");

    // Without its blob store the server is ready, and says what is missing.
    pds.blobs.away.store(true, Ordering::Relaxed);
    wait_for(async || part(&pds, "blobStore").await["ok"] == false).await;
    let answer = ask(&pds, "/health").await;
    assert_eq!((answer.status.as_u16(), &answer.body["ok"]), (200, &json!(false)), "{}", answer.body);
    assert!(answer.body["parts"]["blobStore"]["lastError"]["message"].is_string(), "{}", answer.body);
    pds.blobs.away.store(false, Ordering::Relaxed);
    wait_for(async || part(&pds, "blobStore").await["ok"] == true).await;
    assert!(part(&pds, "blobStore").await["lastError"]["at"].is_string());

    assert_eq!(
        (ask(&pds, "/health/live").await.status, ask(&pds, "/health/ready").await.status.as_u16()),
        (reqwest::StatusCode::OK, 200)
    );
    pds.app.db.close().await;
    *pds.app.database_answer.lock().await = None;
    wait_for(async || ask(&pds, "/health").await.status == 503).await;
    let answer = ask(&pds, "/health").await;
    for name in ["database", "sequencer"] {
        assert!(answer.body["parts"][name]["lastError"]["message"].is_string(), "{}", answer.body);
    }
    assert_eq!(
        (ask(&pds, "/health/live").await.status.as_u16(), ask(&pds, "/health/ready").await.status.as_u16()),
        (200, 503)
    );
    // Not for the public.
    for path in ["/health", "/health/live", "/health/ready"] {
        assert_eq!(send(pds.http.get(format!("{}{path}", pds.url))).await.status, 404, "{path}");
    }
});

#[tokio::test]
async fn parts_are_probed_once_for_all_who_ask_within_a_second() {
    let pds = TestPds::sqlite().await;
    let began = Instant::now();
    let answers = futures::future::join_all((0..8).map(|_| ask(&pds, "/health"))).await;
    let mut times: Vec<_> = answers.iter().map(|answer| answer.body["checkedAt"].as_str().unwrap()).collect();
    times.sort_unstable();
    times.dedup();
    // One more for each second that they took.
    let most = 1 + usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(times.len() <= most, "{times:?}");
}

#[tokio::test]
async fn redis_and_mail_are_told_of_without_passwords() {
    let mut redis = Redis::start();
    let smtp = format!("smtp://someone:hunter2@127.0.0.1:{}?tls=none", free_port());
    let settings = [
        ("REDIS_URL", redis.url()),
        ("PDS_EMAIL_SMTP_URL", smtp),
        ("PDS_EMAIL_FROM_ADDRESS", "pds@example.com".to_owned()),
    ];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pds = limited(&settings).await;
    let answer = ask(&pds, "/health").await;
    let parts = &answer.body["parts"];
    assert_eq!((&parts["redis"]["ok"], &parts["redis"]["configured"]), (&json!(true), &json!(true)), "{parts}");
    assert!(parts["redis"]["latencyMs"].is_f64(), "{parts}");
    assert_eq!((&parts["mail"]["ok"], &parts["mail"]["waiting"]), (&json!(false), &json!(0)), "{parts}");
    assert!(parts["mail"]["lastError"]["message"].is_string(), "{parts}");
    assert_eq!((answer.status.as_u16(), &answer.body["ok"]), (200, &json!(false)), "{}", answer.body);
    redis.kill();
    wait_for(async || part(&pds, "redis").await["ok"] == false).await;
    let text = ask(&pds, "/health").await.body.to_string();
    for secret in ["hunter2", "admin-password", "jwt-secret-of-a-test", &"11".repeat(32)] {
        assert!(!text.contains(secret), "{text}");
    }
}
