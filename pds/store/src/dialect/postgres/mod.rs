//! Postgres: a pool whose every connection is checked before use.

pub(crate) mod commit;
pub(crate) mod lineage;

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Error, Options, Result, db::Pools};

/// A connection used this recently is handed out without asking the server first, which would cost each statement a
/// round trip. If the server went away in between, the statement fails as unavailable.
const TRUSTED: Duration = Duration::from_secs(1);

/// Connects, refusing a server that could lose acknowledged writes.
///
/// The first connection stands outside the pool, so that a refusal is an error with a reason rather than a pool that
/// retries until its time-out. The pool repeats the checks: after a failover its next connection may reach another server.
pub(crate) async fn connect(url: &str, options: &Options) -> Result<Pools> {
    let server = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Url { reason: error.to_string() })?
        .application_name(&options.application_name)
        .disable_statement_logging();
    let mut first = server.connect().await.map_err(|source| Error::Connect { source })?;
    let fit = check(&mut first).await.map_err(|source| Error::Connect { source })?;
    if let Err(reason) = fit {
        return Err(Error::Unfit { reason });
    }
    first.close().await.map_err(|source| Error::Connect { source })?;
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move { Ok(usage.idle_for < TRUSTED || connection.ping().await.is_ok()) })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                check(connection).await?.map_err(|reason| sqlx::Error::Configuration(reason.into()))?;
                lineage::check(connection).await
            })
        })
        .connect_with(server)
        .await
        .map_err(|source| Error::Connect { source })?;
    Ok(Pools::Postgres(pool))
}

/// What must hold for a connection that writes; the inner error says what does not.
async fn check(connection: &mut PgConnection) -> sqlx::Result<Result<(), String>> {
    const SQL: &str = "select current_setting('synchronous_commit'), current_setting('server_encoding'), \
                       pg_is_in_recovery()";
    let (synchronous_commit, encoding, is_standby): (String, String, bool) =
        sqlx::query_as(SQL).fetch_one(connection).await?;
    Ok(if synchronous_commit == "off" {
        // Besides losing commits, a crash could then lose an event whose number a subscriber has already seen.
        Err("synchronous_commit is off for this role; acknowledged writes would be lost in a crash, set it to on"
            .to_owned())
    } else if encoding != "UTF8" {
        Err(format!("the database encoding is {encoding}; create it with encoding UTF8"))
    } else if is_standby {
        Err("the server is a read-only standby; connect to the primary".to_owned())
    } else {
        Ok(())
    })
}
