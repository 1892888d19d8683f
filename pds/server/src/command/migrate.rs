//! `pds migrate`.

use anyhow::Context;
use pds_config::Settings;
use pds_store::{Db, Options};

/// Needs the database's settings alone, so that a migration job holds no other secret.
pub(super) async fn migrate() -> anyhow::Result<()> {
    let (database, url) = Settings::database_from_env(|name| std::env::var(name).ok())
        .map_err(|errors| anyhow::anyhow!("the settings are not valid:\n{errors}"))?;
    let options = Options {
        max_connections: 2,
        acquire_timeout: database.connect_timeout,
        application_name: "pds migrate".to_owned(),
    };
    let db = Db::connect(&url.expose(), &options).await.context("connect to the database")?;
    pds_store::migrate(&db).await.context("migrate the schema")?;
    db.close().await;
    Ok(())
}
