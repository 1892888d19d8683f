//! `pds doctor` finds faults, names them and says what to do.

use axum::{Json, Router, extract::Query, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{Pds, print, run},
};
use crate::harness::{Database, Redis, certificate, free_port, variable};

/// A relay that knows this host.
async fn relay(known: &'static str) -> String {
    let status = async move |Query(params): Query<std::collections::HashMap<String, String>>| match params["hostname"]
        == known
    {
        true => Json(json!({"hostname": known, "status": "active", "seq": 7})).into_response(),
        false => (StatusCode::BAD_REQUEST, Json(json!({"error": "HostNotFound", "message": "no"}))).into_response(),
    };
    let routes = Router::new().route("/xrpc/com.atproto.sync.getHostStatus", get(status));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// The findings, and whether the command has succeeded.
async fn doctor(folder: &std::path::Path, variables: &[(&str, &str)]) -> (Vec<Value>, bool) {
    let (folder, variables) = (folder.to_owned(), variables.to_vec());
    let variables: Vec<_> = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // The relay of the test answers meanwhile.
    let output = tokio::task::spawn_blocking(move || {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        print(&folder, &["doctor", "--output", "json"], &variables, "")
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let text = format!("{found:?}{said}");
    for secret in ["hunter2", SECRETS[0].1, SECRETS[2].1, SECRETS[3].1] {
        assert!(!text.contains(secret), "{text}");
    }
    (found, output.status.success())
}

/// Levels of the findings about a subject.
fn levels<'a>(found: &'a [Value], subject: &str) -> Vec<&'a str> {
    found.iter().filter(|one| one["subject"] == subject).map(|one| one["level"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_host_that_works_has_no_failures() {
    let (folder, database, relay) =
        (tempfile::tempdir().unwrap(), Database::postgres().await, relay("localhost").await);
    let ([certificate, key], blobs) = (certificate(folder.path()), folder.path().join("blobs"));
    let (plc, smtp) = (variable("AURORA_TEST_PLC_URL"), variable("AURORA_TEST_MAILPIT_SMTP"));
    let redis = variable("AURORA_TEST_REDIS_URL");
    let own: [(&str, &str); 10] = [
        ("PDS_DATABASE_URL", database.url.as_str()),
        ("PDS_BLOBSTORE_DISK_LOCATION", blobs.to_str().unwrap()),
        ("PDS_TLS_CERT_FILE", &certificate),
        ("PDS_TLS_KEY_FILE", &key),
        ("PDS_CA_FILE", &certificate),
        ("PDS_DID_PLC_URL", &plc),
        ("PDS_EMAIL_SMTP_URL", &smtp),
        ("PDS_EMAIL_FROM_ADDRESS", "pds@example.com"),
        ("PDS_CRAWLERS", &relay),
        ("REDIS_URL", &redis),
    ];
    let settings = [&own[..], &SECRETS].concat();
    let (found, _) = doctor(folder.path(), &settings).await;
    let schema = found.iter().find(|one| one["text"].as_str().unwrap().contains("this release needs")).unwrap();
    assert!(schema["level"] == "fail" && schema["advice"].as_str().unwrap().contains("pds migrate"), "{found:?}");

    assert!(run(folder.path(), &["migrate"], &settings).status.success());
    let pds = Pds::start(folder.path(), &settings).await;
    let port = pds.port().to_string();
    let settings = [&settings[..], &[("PDS_PORT", port.as_str())]].concat();
    let (found, is_well) = doctor(folder.path(), &settings).await;
    assert!(is_well, "{found:?}");
    for subject in [
        "settings",
        "database",
        "blob store",
        "mail",
        "public URL",
        "TLS",
        "firehose",
        "Redis",
        "PLC rotation key",
        "PLC directory",
        "clock",
        "relays",
    ] {
        let levels = levels(&found, subject);
        assert!(!levels.is_empty() && levels.iter().all(|level| *level == "ok"), "{subject}: {found:?}");
    }
    assert_eq!(levels(&found, "public name"), ["warn"]);
    assert_eq!(levels(&found, "database").len(), 4, "answers, schema, clock, connections: {found:?}");
    let left = std::fs::read_dir(&blobs).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(left, 0, "the probe object is deleted");

    // Of another host's keys.
    let other: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, if *name == "PDS_KEY_ENCRYPTION_KEY" { SECRETS[2].1 } else { *value }))
        .collect();
    let (found, is_well) = doctor(folder.path(), &other).await;
    let fault = found.iter().find(|one| one["level"] == "fail").unwrap();
    assert!(!is_well && fault["text"].as_str().unwrap().contains("fingerprint"), "{found:?}");
}

#[tokio::test]
async fn each_fault_is_named_with_what_to_do() {
    let (folder, relay) = (tempfile::tempdir().unwrap(), relay("another.example").await);
    let [port, nobody] = [free_port(), free_port()];
    let (port, plc) = (port.to_string(), format!("http://127.0.0.1:{nobody}"));
    let smtp = format!("smtp://user:hunter2@127.0.0.1:{nobody}?tls=none");
    let redis = format!("redis://user:hunter2@127.0.0.1:{nobody}");
    let settings: [(&str, &str); 7] = [
        ("PDS_PORT", port.as_str()),
        ("REDIS_URL", &redis),
        ("PDS_BLOBSTORE_DISK_LOCATION", "/proc/nothing"),
        ("PDS_DID_PLC_URL", &plc),
        ("PDS_EMAIL_SMTP_URL", &smtp),
        ("PDS_EMAIL_FROM_ADDRESS", "pds@example.com"),
        ("PDS_CRAWLERS", &relay),
    ];
    let (found, is_well) = doctor(folder.path(), &settings).await;
    assert!(!is_well);
    for (subject, level) in [
        ("settings", "ok"),
        ("database", "warn"),
        ("blob store", "fail"),
        ("mail", "fail"),
        ("public URL", "fail"),
        ("Redis", "fail"),
        ("PLC rotation key", "ok"),
        ("PLC directory", "fail"),
        ("relays", "warn"),
    ] {
        assert_eq!(levels(&found, subject), [level], "{subject}: {found:?}");
    }
    assert!(found.iter().all(|one| (one["level"] == "ok") == (one["advice"] == "")), "{found:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a look changes nothing");

    let output = run(folder.path(), &["doctor"], &[("PDS_PORT", "many"), ("PDS_LOGO_URL", "x")]);
    assert_eq!(output.status.code(), Some(1));
    let (found, _) = doctor(folder.path(), &[("PDS_PORT", "many"), ("PDS_LOGO_URL", "x")]).await;
    assert_eq!(levels(&found, "settings"), ["fail", "warn", "fail"]);
    assert!(found[0]["text"].as_str().unwrap().contains("PDS_PORT=\"many\""), "{found:?}");
}

#[tokio::test]
async fn a_redis_that_is_not_used_or_forgets_is_named() {
    // AL-CCH-4
    let (folder, redis) = (tempfile::tempdir().unwrap(), Redis::start());
    let (url, plc) = (redis.url(), variable("AURORA_TEST_PLC_URL"));
    let look = async |more: &[(&str, &str)]| {
        let own = [("REDIS_URL", url.as_str()), ("PDS_DID_PLC_URL", &plc), ("PDS_BLOBSTORE_DISK_LOCATION", "blobs")];
        let (found, _) = doctor(folder.path(), &[&own[..], more].concat()).await;
        found.into_iter().find(|one| one["subject"] == "Redis").unwrap()
    };
    assert_eq!(look(&[]).await["level"], "ok");
    let unused = look(&[("RATE_LIMIT_DISTRIBUTED", "false")]).await;
    assert!(unused["level"] == "warn" && unused["text"].as_str().unwrap().contains("not used"), "{unused}");
    redis.set("maxmemory", "10mb");
    redis.set("maxmemory-policy", "allkeys-lru");
    let forgets = look(&[]).await;
    assert!(forgets["level"] == "warn" && forgets["text"].as_str().unwrap().contains("allkeys-lru"), "{forgets}");
    assert!(forgets["advice"].as_str().unwrap().contains("noeviction"), "{forgets}");
    assert!(redis.keys().is_empty(), "a look leaves nothing behind");
}
