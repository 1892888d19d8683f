//! `pds migrate`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use pds_config::{DataKeys, RotationKey};
use pds_store::{Db, Options, owner, schema};
use serde::Serialize;

use super::{failure, owner as keys, settings};

/// Maximum size of a container's termination message in Kubernetes, in bytes.
const REPORT_BYTES: usize = 4096;

/// What became of a migration; for a program to read.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// The newest migration that has been applied; 0 without a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<i64>,
    /// 150018 for 15.18.
    #[serde(skip_serializing_if = "Option::is_none")]
    postgres_version: Option<i32>,
    /// Fingerprint of the keys that the data depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    reason: failure::Reason,
    message: String,
}

/// Needs the database's settings alone. With the keys that data depends on it also refuses a database of other keys.
pub(super) async fn migrate(report_file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut report = Report::default();
    let result = run(&mut report).await;
    let Some(file) = report_file else { return result };
    if let Err(error) = &result {
        report.error = Some(Failure { reason: failure::reason(error), message: failure::sentence(error) });
    }
    let written = report.write(&file).with_context(|| format!("write the report {}", file.display()));
    result.and(written)
}

async fn run(report: &mut Report) -> anyhow::Result<()> {
    let migration = settings::load_migration()?;
    let options = Options {
        max_connections: 2,
        acquire_timeout: migration.database.connect_timeout,
        application_name: "pds migrate".to_owned(),
        ca_bundle: migration.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned()),
        ..Options::default()
    };
    let db = settings::connect(&migration.url, &options).await?;
    report.look(&db).await.context("look at the schema")?;
    if let Some(given) = &migration.keys {
        keys::check(&db, &migration.url, given).await?;
    }
    pds_store::migrate(&db).await.context("migrate the schema")?;
    let claimed = match &migration.keys {
        // KMS was not asked whether it has the key: `pds serve` asks, and records the fingerprint then.
        Some(DataKeys { plc_rotation_key: RotationKey::Kms(_), .. }) | None => Ok(()),
        Some(given) => keys::claim(&db, &migration.url, given).await,
    };
    report.look(&db).await.context("look at the schema")?;
    claimed?;
    db.close().await;
    Ok(())
}

impl Report {
    async fn look(&mut self, db: &Db) -> pds_store::Result<()> {
        self.postgres_version = db.postgres_version().await?;
        self.schema_version = Some(schema::version(db).await?);
        self.fingerprint = owner::recorded(db).await?;
        Ok(())
    }

    /// In place: what Kubernetes gives for the last words cannot be renamed over.
    fn write(mut self, file: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string(&self)?;
        while text.len() > REPORT_BYTES
            && let Some(failure) = &mut self.error
        {
            let kept = failure.message.chars().count() * 3 / 4;
            failure.message = failure.message.chars().take(kept).collect();
            text = serde_json::to_string(&self)?;
        }
        std::fs::write(file, text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_never_longer_than_what_is_kept_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report");
        for message in ["x".repeat(10_000), "\u{1}ü".repeat(5_000)] {
            let error = Some(Failure { reason: failure::Reason::Failed, message });
            Report { schema_version: Some(4), error, ..Report::default() }.write(&file).unwrap();
            let text = std::fs::read(&file).unwrap();
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert!(text.len() <= REPORT_BYTES && text.len() > REPORT_BYTES / 2, "{}", text.len());
            assert_eq!((&read["schemaVersion"], &read["error"]["reason"]), (&4.into(), &"Failed".into()));
        }
    }
}
