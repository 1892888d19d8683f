//! Turns at work that only one of the replicas is to do, and not too often.

use crate::{
    Db, Error, Result,
    source::{execute, on},
};

/// Takes the turn called `name` at `now`, unless a replica took it after `since`. Times are in microseconds since 1970. Returns whether it
/// was taken.
///
/// # Errors
/// When the database cannot be written.
pub async fn take(db: &Db, name: &str, now: i64, since: i64) -> Result<bool> {
    const LAST: &str = "select at from turn where name = $1";
    const TAKE: &str = "insert into turn (name, at) values ($1, $2) \
                        on conflict (name) do update set at = excluded.at where turn.at <= $3";
    let during = || Error::during("take", "turn");
    // Mostly it is not due, and a read does not block other replicas.
    let last: Option<(i64,)> =
        on!(db, conn => sqlx::query_as(LAST).bind(name).fetch_optional(conn)).map_err(during())?;
    if last.is_some_and(|(at,)| at > since) {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    let taken = execute!(&mut tx, TAKE, name, now, since).map_err(during())?;
    tx.commit().await?;
    Ok(taken == 1)
}
