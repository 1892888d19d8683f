//! Operations that the directory of did:plc was asked to take, and whose new document may not have been announced yet.

use super::AccountId;
use crate::{
    Error, Result, Source, Tx,
    source::{execute, on},
};

/// An operation that was submitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Submission {
    /// The submission's key.
    pub id: i64,
    /// The account.
    pub account_id: AccountId,
}

/// Notes that the directory will be asked, and returns the submission's key. `at` is now, in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin_submission(tx: &mut Tx, id: AccountId, at: i64) -> Result<i64> {
    const SQL: &str = "insert into submitted_operation (account_id, since) values ($1, $2) returning id";
    let (submission,): (i64,) = on!(tx, conn => sqlx::query_as(SQL).bind(id.0).bind(at).fetch_one(conn))
        .map_err(Error::during("begin submission of account", id))?;
    Ok(submission)
}

/// Notes that nothing is left to be announced. Returns `false` if somebody else has noted it.
///
/// # Errors
/// When the database cannot be written.
pub async fn end_submission(tx: &mut Tx, submission: i64) -> Result<bool> {
    const SQL: &str = "delete from submitted_operation where id = $1";
    let ended = execute!(tx, SQL, submission).map_err(Error::during("end submission", submission))?;
    Ok(ended == 1)
}

const SUBMISSIONS: &str = "select id, account_id from submitted_operation where since < $1 order by since, id limit $2";

/// The submissions that began before a time, in microseconds, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn unfinished_submissions<'a>(
    source: impl Into<Source<'a>>,
    before: i64,
    limit: u32,
) -> Result<Vec<Submission>> {
    let rows: Vec<(i64, i64)> =
        on!(source, conn => sqlx::query_as(SUBMISSIONS).bind(before).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "unfinished submissions"))?;
    Ok(rows.into_iter().map(|(id, account)| Submission { id, account_id: AccountId(account) }).collect())
}
