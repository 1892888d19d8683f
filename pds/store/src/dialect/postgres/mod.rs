//! Postgres: a pool whose every connection is checked before use.

pub(crate) mod commit;
pub(crate) mod lineage;
mod time;

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, Postgres, SqlSafeStr, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use self::time::away;
pub(crate) use self::time::{each_in_time, in_time, in_time_on};
use crate::{
    Error, Options, Result,
    meter::{Meter, here},
    pools::{Pool, Pools},
};

/// A connection used this recently is handed out without asking the server first, which would cost each statement a
/// round trip. If the server went away in between, the statement fails as unavailable.
const TRUSTED: Duration = Duration::from_secs(1);

/// The longest wait for the answer to `BEGIN`. No lock delays it, so that a server that answers later is not reachable, and the connection ends.
const BEGIN: Duration = Duration::from_secs(60);

/// The longest wait for a sign of life of an idle connection.
const SIGN: Duration = Duration::from_secs(2);

/// Begins a transaction, with `statement` in place of `BEGIN` if there is one.
///
/// Cancellation: a caller that waits for a connection gives its place up. Afterwards a task waits for the answer, also when the caller was cancelled
/// or has waited too long, and then rolls the transaction back. The driver counts a transaction as begun when the answer has arrived
/// (`PgTransactionManager::begin`, sqlx 0.9). If it was cancelled before, the connection would return to the pool inside the transaction, and all
/// later statements on it would be part of that transaction.
pub(crate) async fn begin(
    pool: &Pool<Postgres>,
    statement: Option<&'static str>,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let connection = pool.acquire().await?;
    let begin = Transaction::begin(connection, statement.map(SqlSafeStr::into_sql_str));
    let begun = tokio::spawn(async move { timeout(BEGIN, begin).await.unwrap_or_else(|_| Err(away())) });
    let begun = in_time(async { begun.await.map_err(|_| sqlx::Error::WorkerCrashed)? });
    pool.meter().run(here!(), begun).await
}

/// Whether the connection can be used for another statement.
async fn lives(connection: &mut PgConnection) -> bool {
    matches!(timeout(SIGN, connection.ping()).await, Ok(Ok(())))
}

/// Connects, refusing a server that could lose acknowledged writes.
///
/// The first connection stands outside the pool, so that a refusal is an error with a reason rather than a pool that
/// retries until its time-out. The pool repeats the checks: after a failover its next connection may reach another server.
pub(crate) async fn connect(url: &str, options: &Options, meter: &Meter) -> Result<Pools> {
    let mut server = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Url { reason: error.to_string() })?
        .application_name(&options.application_name)
        .disable_statement_logging();
    if let Some(pem) = options.ca_bundle.as_ref().filter(|_| !url.contains("sslrootcert=")) {
        server = server.ssl_root_cert_from_pem(pem.clone().into_bytes());
    }
    let mut first = server.connect().await.map_err(|source| Error::Connect { source })?;
    let fit = check(&mut first).await.map_err(|source| Error::Connect { source })?;
    if let Err(reason) = fit {
        return Err(Error::Unfit { reason });
    }
    first.close().await.map_err(|source| Error::Connect { source })?;
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .min_connections(options.min_connections.min(options.max_connections))
        .idle_timeout(options.idle_timeout)
        .max_lifetime(options.max_lifetime)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move { Ok(usage.idle_for < TRUSTED || lives(connection).await) })
        })
        // A statement that was given up is still waited for, within bounds. There is none as a rule, and nothing to wait for.
        .after_release(|connection, _| {
            Box::pin(
                async move { timeout(SIGN, connection.flush()).await.unwrap_or_else(|_| Err(away())).map(|()| true) },
            )
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
    Ok(Pools::Postgres(Pool::new(pool, meter)))
}

/// What must hold for a connection that writes; the inner error says what does not.
///
/// A transaction of a replica that the server hears nothing from ends on its own: it may hold the lock that all others wait for. Nobody waits
/// for a lock longer than half of what a statement may take, so that whoever waited can try again. A statement whose connection was closed ends
/// within a second: without this the server would work on what nobody waits for any more (a server on Windows cannot do it).
async fn check(connection: &mut PgConnection) -> sqlx::Result<Result<(), String>> {
    const SQL: &str = "select current_setting('synchronous_commit'), current_setting('server_encoding'), \
                       pg_is_in_recovery(), set_config('idle_in_transaction_session_timeout', '10s', false), \
                       set_config('lock_timeout', '5s', false), \
                       (select set_config(name, '1s', false) from pg_settings \
                        where name = 'client_connection_check_interval' and version() !~* 'visual c|mingw')";
    let (synchronous_commit, encoding, is_standby, _, _, _): (String, String, bool, String, String, Option<String>) =
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
