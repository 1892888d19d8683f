//! The schema: embedded migrations, and whether a database fits this program.
//!
//! Migrations expand first and contract a release later, so two neighbouring releases run on one schema. There are no
//! down-migrations.

use std::collections::BTreeSet;

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{Db, Dialect, Error, Result, pools::Pools, source::on};

/// A version of the schema, and how to come to it from the one before.
struct Step {
    version: i64,
    description: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! steps {
    ($($version:literal $name:literal),*) => {
        &[$(Step {
            version: match i64::from_str_radix($version, 10) {
                Ok(version) => version,
                Err(_) => panic!("the name of a migration begins with its version"),
            },
            description: $name,
            postgres: include_str!(concat!("../migrations/postgres/", $version, "_", $name, ".sql")),
            sqlite: include_str!(concat!("../migrations/sqlite/", $version, "_", $name, ".sql")),
        }),*]
    };
}

/// All there are, in order.
const STEPS: &[Step] = steps![
    "0001" "initial",
    "0002" "takedown_and_garbage",
    "0003" "events_in_place",
    "0004" "owner",
    "0005" "closed_repositories",
    "0006" "ended_sessions",
    "0007" "lost_blobs",
    "0008" "blob_usage",
    "0009" "staged_imports",
    "0010" "turn",
    "0011" "mail",
    "0012" "preference",
    "0013" "identity",
    "0014" "app_passwords_and_administration",
    "0015" "job",
    "0016" "adoption",
    "0017" "published_lexicons",
    "0018" "suspension",
    "0019" "sessions_and_quotas",
    "0020" "usage_and_scopes",
    "0021" "submitted_operations"
];

/// How a database's schema relates to this program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fit {
    /// Usable. It may be newer, as long as it is compatible.
    Current,
    /// Migrations are missing (or there is no schema at all): run [`migrate`].
    TooOld,
    /// A later release contracted the schema: this program must be upgraded.
    TooNew,
}

/// Applies the missing migrations. Processes that do so at once take turns; each migration runs once.
///
/// # Errors
/// [`Error::Migrate`], also when an applied migration's text is not the embedded one.
pub async fn migrate(db: &Db) -> Result<()> {
    let failed = |source| Error::Migrate { source };
    match &db.pools {
        Pools::Postgres(pool) => {
            // The migrator holds a session-level advisory lock; on an error it would stay with a pooled connection.
            let mut connection = pool.acquire().await.map_err(|e| failed(e.into()))?.detach();
            // Taking turns may take longer than others wait for a lock.
            let patient = sqlx::query("set lock_timeout = 0").execute(&mut connection).await;
            patient.map_err(|e| failed(MigrateError::Execute(e)))?;
            let done = known(Dialect::Postgres).run_direct(None, &mut connection, false).await;
            sqlx::Connection::close(connection).await.map_err(|e| failed(e.into()))?;
            done.map_err(failed)
        }
        Pools::Sqlite { write, .. } => {
            // The migrator has no lock for SQLite, so the whole run is one transaction that takes the write lock first.
            let mut tx = write.begin().await.map_err(|e| failed(e.into()))?;
            known(Dialect::Sqlite).run_direct(None, &mut *tx, false).await.map_err(failed)?;
            tx.commit().await.map_err(|e| failed(MigrateError::Execute(e)))
        }
    }
}

/// Compares the database's schema with the embedded migrations, without changing anything.
///
/// # Errors
/// When the database cannot be read.
pub async fn check(db: &Db) -> Result<Fit> {
    const APPLIED: &str = "select version from _sqlx_migrations where success";
    const OLDEST: &str = "select oldest_known from schema_compat where id = 1";
    let failed = || Error::during("read the version of", "schema");
    let dialect = db.dialect();
    if !has_table(db, "_sqlx_migrations").await? {
        return Ok(Fit::TooOld);
    }
    let applied: Vec<(i64,)> = on!(db, conn => sqlx::query_as(APPLIED).fetch_all(conn)).map_err(failed())?;
    let applied: BTreeSet<i64> = applied.into_iter().map(|(version,)| version).collect();
    let known = known(dialect);
    if applied.is_empty() {
        return Ok(Fit::TooOld);
    }
    let (oldest,): (i64,) = on!(db, conn => sqlx::query_as(OLDEST).fetch_one(conn)).map_err(failed())?;
    Ok(if known.iter().all(|migration| migration.version < oldest) {
        Fit::TooNew
    } else if known.iter().any(|migration| !applied.contains(&migration.version)) {
        Fit::TooOld
    } else {
        Fit::Current
    })
}

/// The newest version that has been applied; 0 if there is no schema.
///
/// # Errors
/// When the database cannot be read.
pub async fn version(db: &Db) -> Result<i64> {
    const NEWEST: &str = "select coalesce(max(version), 0) from _sqlx_migrations where success";
    if !has_table(db, "_sqlx_migrations").await? {
        return Ok(0);
    }
    let (version,): (i64,) = on!(db, conn => sqlx::query_as(NEWEST).fetch_one(conn))
        .map_err(Error::during("read the version of", "schema"))?;
    Ok(version)
}

/// The version that [`migrate`] leads to.
#[must_use]
pub fn newest() -> i64 {
    STEPS.iter().map(|step| step.version).max().unwrap_or_default()
}

pub(crate) async fn has_table(db: &Db, name: &str) -> Result<bool> {
    const SQLITE: &str = "select count(*) from sqlite_master where type = 'table' and name = $1";
    const POSTGRES: &str = "select count(*) from (select to_regclass($1) as found) t where found is not null";
    let sql = match db.dialect() {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let (tables,): (i64,) = on!(db, conn => sqlx::query_as(sql).bind(name).fetch_one(conn))
        .map_err(Error::during("look for table", name))?;
    Ok(tables > 0)
}

/// The embedded migrations. A newer schema's further migrations are no reason to fail: see [`Fit`].
fn known(dialect: Dialect) -> Migrator {
    let migration = |step: &Step| {
        let sql = match dialect {
            Dialect::Sqlite => step.sqlite,
            Dialect::Postgres => step.postgres,
        };
        let description = step.description.replace('_', " ");
        Migration::new(step.version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(STEPS.iter().map(migration).collect());
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_migration_of_the_folder_is_embedded() {
        for dialect in ["postgres", "sqlite"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
            let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
            let embedded = STEPS.iter().map(|step| format!("{:04}_{}.sql", step.version, step.description));
            assert_eq!(files.collect::<BTreeSet<_>>(), embedded.collect());
        }
    }
}
