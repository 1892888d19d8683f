//! Works only with data that belongs to the keys given.

use anyhow::Context;
use pds_config::{DataKeys, DatabaseUrl};
use pds_crypto::seal::SealKey;
use pds_store::{Db, owner};
use secrecy::ExposeSecret;

use super::failure::Refusal;
use crate::actor::key;

/// Refuses a database that keeps the fingerprint of other keys. Changes nothing: to be called before a migration.
pub(super) async fn check(db: &Db, url: &DatabaseUrl, keys: &DataKeys) -> anyhow::Result<()> {
    match owner::recorded(db).await.context("read the fingerprint of the database's keys")? {
        Some(recorded) => compare(url, keys, recorded),
        None => Ok(()),
    }
}

/// Records the fingerprint of the keys, or refuses a database that another program has recorded its own in meanwhile, or whose
/// accounts these keys do not open. Needs the current schema.
pub(super) async fn claim(db: &Db, url: &DatabaseUrl, keys: &DataKeys) -> anyhow::Result<()> {
    let given = keys.fingerprint();
    let is_recorded = owner::recorded(db).await.context("read the fingerprint of the database's keys")?.is_some();
    // A database that is older than the record.
    if !is_recorded && let Some((did, sealed)) = owner::sealed_key(db).await.context("read a sealed key")? {
        let seal = SealKey::from_hex(keys.key_encryption_key.expose_secret()).context("key encryption key")?;
        if key::open(&seal, &did, &sealed).is_err() {
            return Err(Refusal::OtherSeal { database: url.to_string(), given }.into());
        }
    }
    let recorded =
        owner::record(db, &given.to_string()).await.context("record the fingerprint of the database's keys")?;
    compare(url, keys, recorded)
}

fn compare(url: &DatabaseUrl, keys: &DataKeys, recorded: String) -> anyhow::Result<()> {
    let given = keys.fingerprint();
    if recorded == given.to_string() {
        return Ok(());
    }
    Err(Refusal::OtherKeys { database: url.to_string(), recorded, given }.into())
}
