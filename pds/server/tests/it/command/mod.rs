//! The program itself, as an operator of a host starts it.

mod admin;
mod blob_store;
mod doctor;
mod import_reference;
mod kms;
mod listen;
mod log;
mod memory;
mod names;
mod owner;
pub(crate) mod process;
mod rules;
mod tls;
mod traces;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use reqwest::Method;

use crate::harness::{Database, Redis, send};
use process::{Pds, print, run};

pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("PDS_JWT_SECRET", "jwt-secret-of-a-test-that-is-long-enough"),
    ("PDS_ADMIN_PASSWORD", "admin-password"),
    ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "1111111111111111111111111111111111111111111111111111111111111111"),
    ("PDS_KEY_ENCRYPTION_KEY", "2222222222222222222222222222222222222222222222222222222222222222"),
];

#[tokio::test]
async fn serves_from_an_empty_folder_and_keeps_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let pds = Pds::start(folder.path(), &[]).await;
    let described = send(pds.request(Method::GET, "/xrpc/com.atproto.server.describeServer")).await.ok();
    assert_eq!(described["did"], "did:web:localhost");
    let file = folder.path().join("data/secrets.env");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let secrets = std::fs::read(&file).unwrap();
    assert!(run(folder.path(), &["health"], &pds.variables()).status.success());
    let metrics = pds.metrics().await;
    let gauge = |name: &str| -> u64 {
        let line =
            metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {metrics}"));
        line.trim().parse().unwrap()
    };
    let (size, available) = (gauge("aurora_data_volume_size_bytes "), gauge("aurora_data_volume_available_bytes "));
    assert!(available > 0 && available <= size, "{available} of {size}");
    assert_eq!(gauge("aurora_database_full "), 0);
    assert!(!metrics.contains("aurora_database_size_bytes "), "SQLite is on the volume of the data directory");

    // Asked to stop it says so first, then ends without an error.
    pds.terminate();
    pds.until("/readyz", 503).await;
    assert!(pds.ended().await.success());

    let again = Pds::start(folder.path(), &[]).await;
    assert_eq!(std::fs::read(&file).unwrap(), secrets);
    again.terminate();
    assert!(again.ended().await.success());
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_said_once() {
    // AL-RL-6
    let mut redis = Redis::start();
    redis.kill();
    let (folder, url) = (tempfile::tempdir().unwrap(), redis.url());
    let settings = [("REDIS_URL", url.as_str()), ("PDS_REDIS_SCRATCH_ADDRESS", "localhost:1")];
    let pds = Pds::start(folder.path(), &settings).await;
    let described = || send(pds.request(Method::GET, "/xrpc/com.atproto.server.describeServer"));
    let count = |text: &str| pds.log().matches(text).count();
    for _ in 0..5 {
        described().await.ok();
    }
    redis.run();
    let back = async {
        while count("Redis is back") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.expect("it is noticed");
    described().await.ok();
    assert_eq!((count("Redis cannot be reached"), count("Redis is back")), (1, 1), "{}", pds.log());
    assert_eq!(count("PDS_REDIS_SCRATCH_ADDRESS is ignored because REDIS_URL is set"), 1);
}

#[tokio::test]
async fn keys_are_not_made_anew_once_accounts_depend_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    let settings = [("PDS_DID_PLC_URL", plc.as_str()), ("PDS_INVITE_REQUIRED", "false")];
    let pds = Pds::start(folder.path(), &settings).await;
    let person = serde_json::json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&person)).await.ok();
    pds.terminate();
    assert!(pds.ended().await.success());

    let (file, aside) = (folder.path().join("data/secrets.env"), folder.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    let output = run(folder.path(), &["serve"], &settings);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("secrets.env") && said.contains("PDS_KEY_ENCRYPTION_KEY"), "{said}");
    assert!(!file.exists());

    // The others may change: people log in again.
    let kept = std::fs::read_to_string(&aside).unwrap();
    let without: Vec<&str> = kept.lines().filter(|line| !line.starts_with("PDS_JWT_SECRET=")).collect();
    std::fs::write(&file, without.join("\n")).unwrap();
    let pds = Pds::start(folder.path(), &settings).await;
    assert!(std::fs::read_to_string(&file).unwrap().contains("PDS_JWT_SECRET="));
    pds.terminate();
    assert!(pds.ended().await.success());
}

#[tokio::test]
async fn bad_settings_are_named_all_at_once() {
    // AL-DEP-4
    let folder = tempfile::tempdir().unwrap();
    let wrong = [("PDS_PORT", "many"), ("PDS_BLOB_UPLOAD_LIMIT", "-1"), ("PDS_SERVICE_HANDLE_DOMAINS", "nodot.test")];
    for command in [&["serve"][..], &["config", "check"]] {
        let output = run(folder.path(), command, &wrong);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(wrong.iter().all(|(name, _)| said.contains(name)), "{said}");
    }
    // What only a start would find out, and what has no effect.
    let more = [
        ("PDS_PORT", "many"),
        ("RUST_LOG", "pds=loud=louder"),
        ("PDS_EMAIL_TEMPLATES_DIRECTORY", "/nonexistent"),
        ("PDS_TLS_CERT_FILE", "/nonexistent/tls.crt"),
        ("PDS_TLS_KEY_FILE", "/nonexistent/tls.key"),
        ("PDS_ENTRYWAY_ADMIN_TOKEN", "hunter2"),
        ("PDS_LOGO_URL", "https://example.com/logo.png"),
        ("PDS_HOSTNMAE", "pds.example.com"),
    ];
    let output = print(folder.path(), &["config", "check"], &more, "");
    let (said, warned) = (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    assert!(said.contains("5 settings are wrong"), "{said}");
    for name in
        ["PDS_PORT", "RUST_LOG", "PDS_EMAIL_TEMPLATES_DIRECTORY", "PDS_TLS_CERT_FILE", "PDS_ENTRYWAY_ADMIN_TOKEN"]
    {
        assert!(said.contains(name), "{said}");
    }
    assert!(!said.contains("hunter2") && !warned.contains("valid"), "{said}{warned}");
    assert!(warned.contains("PDS_LOGO_URL is for the pages of the OAuth provider"), "{warned}");
    assert!(warned.contains("did you mean PDS_HOSTNAME?"), "{warned}");
    // A look changes nothing.
    let empty = tempfile::tempdir().unwrap();
    assert!(run(empty.path(), &["config", "check"], &[]).status.success());
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn on_postgres_nothing_is_made_up_and_nothing_is_migrated_by_serving() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::postgres().await);
    let url = ("PDS_DATABASE_URL", database.url.as_str());
    let blobs = ("PDS_BLOBSTORE_DISK_LOCATION", folder.path().to_str().unwrap());
    let output = run(folder.path(), &["serve"], &[url, blobs]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && SECRETS.iter().all(|(name, _)| said.contains(name)), "{said}");

    let all = [&[url, blobs][..], &SECRETS].concat();
    let output = run(folder.path(), &["serve"], &all);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("run `pds migrate` of this release with the same PDS_DATABASE_URL"), "{said}");
    // The migration needs the database alone.
    let output = run(folder.path(), &["migrate"], &[url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pds = Pds::start(folder.path(), &all).await;
    pds.terminate();
    assert!(pds.ended().await.success());

    database.psql("update schema_compat set oldest_known = 1000000");
    let output = run(folder.path(), &["serve"], &all);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("newer than this release"), "{said}");
}
