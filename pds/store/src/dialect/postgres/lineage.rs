//! Notices that the server's history is not the one the event sequence was numbered in.
//!
//! An asynchronous standby or a point-in-time restore may lack the last events although subscribers have seen them.
//! Their numbers must not be given out again, so the sequence jumps whenever the cluster's identity or its timeline
//! (which every promotion and restore changes) is another one. Checked on each new connection, hence before the first
//! write over it.

use sqlx::PgConnection;

/// More than any tail of events that a standby can be behind.
const JUMP: i64 = 1_000_000;

/// Compares the server with `seq_state` and moves the sequence on if they differ. Does nothing before the first migration.
pub(crate) async fn check(connection: &mut PgConnection) -> sqlx::Result<()> {
    let Some((system_id, timeline)) = current(connection).await? else { return Ok(()) };
    const SQL: &str = "update seq_state set system_id = $1, timeline = $2, \
                       next = next + case when system_id is null then 0 else $3 end \
                       where id = 1 and (system_id is distinct from $1 or timeline is distinct from $2) \
                       returning next";
    const NEEDED: &str = "select 1 from seq_state where id = 1 \
                          and (system_id is distinct from $1 or timeline is distinct from $2)";
    // Read first: the update would wait for whoever is committing events right now.
    let needed: Option<(i32,)> =
        sqlx::query_as(NEEDED).bind(system_id).bind(timeline).fetch_optional(&mut *connection).await?;
    if needed.is_none() {
        return Ok(());
    }
    let rows: Vec<(i64,)> =
        sqlx::query_as(SQL).bind(system_id).bind(timeline).bind(JUMP).fetch_all(&mut *connection).await?;
    if let [(next,)] = rows[..] {
        tracing::info!(
            seq.next = next,
            pg.system_id = system_id,
            pg.timeline = timeline,
            "event sequence continues at {next} on timeline {timeline}"
        );
    }
    Ok(())
}

/// The cluster's identity and timeline, or `None` when there is no `seq_state` yet or the role may not ask.
async fn current(connection: &mut PgConnection) -> sqlx::Result<Option<(i64, i32)>> {
    let (migrated,): (bool,) =
        sqlx::query_as("select to_regclass('seq_state') is not null").fetch_one(&mut *connection).await?;
    if !migrated {
        return Ok(None);
    }
    // The control file's timeline is the last checkpoint's and lags a promotion; the WAL's current one does not.
    const SQL: &str = "select system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int \
                       from pg_control_system()";
    match sqlx::query_as(SQL).fetch_one(&mut *connection).await {
        Ok(row) => Ok(Some(row)),
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42501" | "42883")) => {
            tracing::warn!(
                "this role may not call pg_control_system(), so a failover that lost events cannot be noticed: {error}"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
