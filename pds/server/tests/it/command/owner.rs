//! A database that remembers whose it is, and the migration's report.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{Pds, run},
};
use crate::harness::{Database, send};

const OTHER: &str = "3333333333333333333333333333333333333333333333333333333333333333";
/// Of the keys in [`SECRETS`].
const FINGERPRINT: &str = "27878d4748e1ad6173dc16141c7f0d84";

/// The settings with another key encryption key.
fn with_other_key<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let other = |(name, value): &(&'a str, &'a str)| match *name {
        "PDS_KEY_ENCRYPTION_KEY" => (*name, OTHER),
        _ => (*name, *value),
    };
    settings.iter().map(other).collect()
}

/// Runs `pds migrate --report`: its code, what it said and the report.
fn migrate(folder: &Path, settings: &[(&str, &str)]) -> (i32, String, Value) {
    let output = run(folder, &["migrate", "--report", "report"], settings);
    let report = std::fs::read(folder.join("report")).unwrap();
    assert!(report.len() <= 4096);
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said, serde_json::from_slice(&report).unwrap())
}

/// F49
async fn a_database_serves_its_own_keys_alone(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("PDS_DATABASE_URL", database.url.as_str()), ("PDS_BLOBSTORE_DISK_LOCATION", "blobs")];
    // A migration without keys records nothing.
    let (code, said, report) = migrate(folder.path(), &settings);
    assert_eq!((code, report.get("fingerprint"), report.get("error")), (0, None, None), "{said}");
    assert!(report["schemaVersion"].as_i64().unwrap() >= 4, "{report}");
    assert_eq!(report.get("postgresVersion").is_some(), database.url.starts_with("postgres"), "{report}");
    assert!(report.get("postgresVersion").is_none_or(|version| version.as_i64().unwrap() >= 150_000), "{report}");

    let ours = [&settings[..], &SECRETS].concat();
    let pds = Pds::start(folder.path(), &ours).await;
    pds.terminate();
    assert!(pds.ended().await.success());

    let theirs = with_other_key(&ours);
    let output = run(folder.path(), &["serve"], &theirs);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains(FINGERPRINT) && said.contains("restore the keys"), "{said}");
    assert!(said.contains("PDS_KEY_ENCRYPTION_KEY") && !said.contains(OTHER), "{said}");

    let (code, said, report) = migrate(folder.path(), &theirs);
    assert_eq!((code, &report["error"]["reason"]), (78, &json!("KeysMismatch")), "{said}");
    assert_eq!(report["fingerprint"], FINGERPRINT);
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains(FINGERPRINT) && !message.contains('\n'), "{message}");

    let (code, said, report) = migrate(folder.path(), &ours);
    assert_eq!((code, &report["fingerprint"], report.get("error")), (0, &json!(FINGERPRINT), None), "{said}");
}

#[tokio::test]
async fn sqlite_serves_its_own_keys_alone() {
    a_database_serves_its_own_keys_alone(Database::sqlite()).await;
}

#[tokio::test]
async fn postgres_serves_its_own_keys_alone() {
    a_database_serves_its_own_keys_alone(Database::postgres().await).await;
}

/// The schema stays as it was.
#[tokio::test]
async fn a_migration_with_other_keys_migrates_nothing() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::postgres().await);
    let ours = [&[("PDS_DATABASE_URL", database.url.as_str())][..], &SECRETS].concat();
    assert_eq!(migrate(folder.path(), &ours).0, 0);
    database.psql("delete from _sqlx_migrations where version = 3");
    let (code, _, report) = migrate(folder.path(), &with_other_key(&ours));
    assert_eq!((code, &report["error"]["reason"]), (78, &json!("KeysMismatch")));
    let count =
        "do $$ begin if exists (select from _sqlx_migrations where version = 3) then raise 'migrated'; end if; end $$";
    database.psql(count);
}

/// A database from before the record, whose key was changed together with the release.
#[tokio::test]
async fn accounts_that_the_keys_do_not_open_are_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    let database = Database::postgres().await;
    let settings = [
        ("PDS_DATABASE_URL", database.url.as_str()),
        ("PDS_BLOBSTORE_DISK_LOCATION", "blobs"),
        ("PDS_DID_PLC_URL", plc.as_str()),
        ("PDS_INVITE_REQUIRED", "false"),
    ];
    let ours = [&settings[..], &SECRETS].concat();
    assert_eq!(migrate(folder.path(), &ours).0, 0);
    let pds = Pds::start(folder.path(), &ours).await;
    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let path = "/xrpc/com.atproto.server.createAccount";
    send(pds.request(reqwest::Method::POST, path).json(&person)).await.ok();
    pds.terminate();
    assert!(pds.ended().await.success());

    database.psql("delete from owner");
    let (code, _, report) = migrate(folder.path(), &with_other_key(&ours));
    assert_eq!((code, &report["error"]["reason"], report.get("fingerprint")), (78, &json!("KeysMismatch"), None));
    let (code, _, report) = migrate(folder.path(), &ours);
    assert_eq!((code, &report["fingerprint"]), (0, &json!(FINGERPRINT)));
}

/// F62
#[tokio::test]
async fn a_migration_reports_why_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::postgres().await;
    let server = database.url.rsplit_once('/').unwrap().0;
    let nobody = server.replace("postgres@", "nobody:hunter2@");
    for (url, code, reason, says) in [
        ("postgres://pds:hunter2/x@db/pds", 78, "InvalidSettings", "PDS_DATABASE_URL: has a character"),
        ("postgres://pds:hunter2@db/pds?sslmode=maybe", 78, "InvalidSettings", "PDS_DATABASE_URL: "),
        (&format!("{nobody}/postgres"), 1, "InvalidSettings", "PDS_DATABASE_URL"),
        (&format!("{server}/no_such_database"), 1, "InvalidSettings", "no_such_database"),
        ("postgres://pds:hunter2@127.0.0.1:1/pds", 1, "Unavailable", "postgres://127.0.0.1:1/pds"),
    ] {
        let (found, said, report) = migrate(folder.path(), &[("PDS_DATABASE_URL", url)]);
        assert_eq!((found, &report["error"]["reason"]), (code, &json!(reason)), "{said}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(says) && !message.contains('\n'), "{message}");
        assert!(!said.contains("hunter2") && !message.contains("hunter2"), "{said}");
        assert!(report.get("schemaVersion").is_none(), "{report}");
    }
}
