//! Background jobs that one replica runs for all replicas: when each is due, the lease of the replica that runs it, and what became of its last run.
//!
//! A run has a number. Whoever has lost the lease of a run cannot renew it or write down its end once another replica has begun the next. A run whose lease
//! ends without an end written down is due again at once. Times are in microseconds.

use crate::{
    Db, Error, Result, Source,
    row::row,
    source::{execute, on},
};

/// A job to enter.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    /// When it is due for the first time.
    pub first: i64,
    /// The latest time at which it is due, for a job whose pauses have become shorter.
    pub latest: i64,
}

/// What is known about a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    pub name: String,
    /// Number of the newest run; 0 before the first.
    pub run: i64,
    /// The replica that runs it or ran it last.
    pub holder: Option<String>,
    /// Until when its holder alone may run it; `None` if nobody runs it.
    pub lease_until: Option<i64>,
    pub due: i64,
    pub started_at: Option<i64>,
    /// When the last run ended; `None` while it runs.
    pub ended_at: Option<i64>,
    pub succeeded_at: Option<i64>,
    /// How the last run that ended did so, in the caller's words.
    pub outcome: Option<String>,
    pub error: Option<String>,
    /// Runs that have failed since the last success.
    pub failures: u32,
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub at: i64,
    pub outcome: &'a str,
    pub has_succeeded: bool,
    pub error: Option<&'a str>,
    pub failures: u32,
    /// When it is due next.
    pub due: i64,
}

impl Job {
    /// Whether a replica runs it at `now`.
    #[must_use]
    pub fn is_running(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// Whether its last run was given up by a replica that has died or was cut off.
    #[must_use]
    pub fn is_abandoned(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }
}

row! {
    struct Row {
        name: String,
        run: i64,
        holder: Option<String>,
        lease_until: Option<i64>,
        due: i64,
        started_at: Option<i64>,
        ended_at: Option<i64>,
        succeeded_at: Option<i64>,
        outcome: Option<String>,
        error: Option<String>,
        failures: i32,
    }
}

/// Enters jobs that are not there yet, and brings forward those that are due later than they may be.
///
/// # Errors
/// When the database cannot be written.
pub async fn enter(db: &Db, entries: &[Entry]) -> Result<()> {
    const SQL: &str = "insert into job (name, due) values ($1, $2) \
                       on conflict (name) do update set due = $3 where job.due > $3";
    let mut tx = db.begin().await?;
    for entry in entries {
        execute!(&mut tx, SQL, entry.name, entry.first, entry.latest)
            .map_err(Error::during("enter job", entry.name))?;
    }
    tx.commit().await
}

/// All jobs that any release has entered, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all<'a>(source: impl Into<Source<'a>>) -> Result<Vec<Job>> {
    const SQL: &str = "select name, run, holder, lease_until, due, started_at, ended_at, succeeded_at, outcome, error, failures \
                       from job order by name limit 1000";
    let rows: Vec<Row> =
        on!(source, conn => sqlx::query_as(SQL).fetch_all(conn)).map_err(Error::during("read", "jobs"))?;
    let job = |row: Row| Job {
        name: row.name,
        run: row.run,
        holder: row.holder,
        lease_until: row.lease_until,
        due: row.due,
        started_at: row.started_at,
        ended_at: row.ended_at,
        succeeded_at: row.succeeded_at,
        outcome: row.outcome,
        error: row.error,
        failures: row.failures.max(0).unsigned_abs(),
    };
    Ok(rows.into_iter().map(job).collect())
}

/// Takes the lease of a job that nobody runs at `now` and that is due at `due_by`, until a time. Returns the number of the run; `None` if it was not to be had.
///
/// # Errors
/// When the database cannot be written.
pub async fn take(db: &Db, name: &str, holder: &str, now: i64, until: i64, due_by: i64) -> Result<Option<i64>> {
    // Due from now on: if this run has no end, the next one begins when its lease is over.
    const SQL: &str = "update job set run = run + 1, holder = $2, lease_until = $4, due = $3, started_at = $3, ended_at = null \
                       where name = $1 and due <= $5 and (lease_until is null or lease_until <= $3) returning run";
    let mut tx = db.begin().await?;
    let run: Option<(i64,)> = on!(&mut tx, conn => sqlx::query_as(SQL)
        .bind(name)
        .bind(holder)
        .bind(now)
        .bind(until)
        .bind(due_by)
        .fetch_optional(conn))
    .map_err(Error::during("take job", name))?;
    tx.commit().await?;
    Ok(run.map(|(run,)| run))
}

/// Extends the lease of a run. Returns false if the run has ended or another one has begun.
///
/// # Errors
/// When the database cannot be written.
pub async fn renew(db: &Db, name: &str, run: i64, until: i64) -> Result<bool> {
    const SQL: &str = "update job set lease_until = $3 where name = $1 and run = $2 and lease_until is not null";
    let mut tx = db.begin().await?;
    let renewed = execute!(&mut tx, SQL, name, run, until).map_err(Error::during("renew the lease of job", name))?;
    tx.commit().await?;
    Ok(renewed == 1)
}

/// Writes down the end of a run and gives its lease back. Returns false, and writes nothing, if another run has begun.
///
/// # Errors
/// When the database cannot be written.
pub async fn end(db: &Db, name: &str, run: i64, end: &End<'_>) -> Result<bool> {
    const SQL: &str = "update job set lease_until = null, ended_at = $3, outcome = $4, error = $5, failures = $6, due = $7, \
                       succeeded_at = coalesce($8, succeeded_at) where name = $1 and run = $2 and lease_until is not null";
    let End { at, outcome, has_succeeded, error, failures, due } = *end;
    let failures = i32::try_from(failures).unwrap_or(i32::MAX);
    let succeeded_at = has_succeeded.then_some(at);
    let mut tx = db.begin().await?;
    let ended = execute!(&mut tx, SQL, name, run, at, outcome, error, failures, due, succeeded_at)
        .map_err(Error::during("write down the end of job", name))?;
    tx.commit().await?;
    Ok(ended == 1)
}
