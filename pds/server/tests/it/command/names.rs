//! Settings by names that other programs have for them, and what they say about connections.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    SECRETS,
    process::{Pds, print, run},
};
use crate::harness::Database;

#[tokio::test]
async fn the_database_has_two_names_and_is_of_the_kind_that_the_host_expects() {
    // AL-DEP-4
    let folder = tempfile::tempdir().unwrap();
    let other =
        [("DATABASE_URL", "sqlite://other.sqlite"), ("DATABASE_TYPE", "sqlite"), ("PDS_BLOBSTORE_TYPE", "disk")];
    let pds = Pds::start(folder.path(), &other).await;
    assert!(folder.path().join("other.sqlite").exists() && folder.path().join("data/blobs").exists());
    pds.kill();

    let both = [other[0], ("PDS_DATABASE_URL", "sqlite://pds.sqlite"), ("CACHE_DID_DOC_TTL", "3600")];
    let output = print(folder.path(), &["config", "check"], &both, "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("warning: DATABASE_URL is ignored because PDS_DATABASE_URL is set"), "{said}");
    assert!(said.contains("the settings are valid") && !said.contains("CACHE_DID_DOC_TTL"), "{said}");

    let wrong = [("DATABASE_TYPE", "postgres"), ("PDS_BLOBSTORE_TYPE", "s3")];
    let output = run(folder.path(), &["serve"], &wrong);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("DATABASE_TYPE=\"postgres\": requires PDS_DATABASE_URL, which is not set"), "{said}");
    assert!(said.contains("PDS_BLOBSTORE_S3_BUCKET: is required because PDS_BLOBSTORE_TYPE is s3"), "{said}");
    let output = run(folder.path(), &["migrate"], &wrong[..1]);
    assert_eq!(output.status.code(), Some(78), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn connections_to_postgres_are_replaced_at_their_age() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::postgres().await);
    let url = ("PDS_DATABASE_URL", database.url.as_str());
    let output = run(folder.path(), &["migrate"], &[url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let own = [url, ("PDS_BLOBSTORE_DISK_LOCATION", "blobs"), ("POSTGRES_MAX_LIFETIME", "1")];
    let pds = Pds::start(folder.path(), &[&own[..], &SECRETS].concat()).await;
    let connections = || -> BTreeSet<String> {
        let sql = "select pid from pg_stat_activity where datname = current_database() and application_name = 'pds'";
        database.psql(sql).lines().map(str::to_owned).collect()
    };
    let (first, began) = (connections(), Instant::now());
    assert!(!first.is_empty());
    while !first.is_disjoint(&connections()) {
        assert!(began.elapsed() < Duration::from_secs(60), "{first:?} are still there");
        assert_eq!(pds.readiness().await.0, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!connections().is_empty());
}
