//! Accounts as they are now, many in one statement.

use pds_syntax::{Did, Handle};
use rusqlite::OptionalExtension;
use sqlx::PgPool;

use super::{Account, AccountId};
use crate::{Db, Error, Result, column::Text, db::Pools, dialect::postgres::in_time_on, row::row};

/// Which account, and which session of its own a request comes with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Whose.
    pub did: Did,
    /// The refresh token's id that an access token names.
    pub session: Option<String>,
}

/// An account as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Current {
    /// The row.
    pub account: Account,
    /// The session that was asked about has ended.
    pub session_ended: bool,
}

macro_rules! current {
    ($at:literal, $session:literal, $from:literal) => {
        concat!(
            "select ",
            $at,
            ", exists (select 1 from ended_session e where e.jti = ",
            $session,
            "), a.id, a.did, a.handle, a.email, a.email_confirmed_at, a.password_hash, a.token_epoch, a.created_at, ",
            "a.activated_at, a.deactivated_at, a.delete_after, a.takedown_ref from ",
            $from
        )
    };
}
pub(crate) const CURRENT_POSTGRES: &str = current!(
    "q.at",
    "q.session",
    "unnest($1::text[], $2::text[]) with ordinality as q(did, session, at) join account a on a.did = q.did"
);
// The first parameter has to come first in the text: to SQLite `$2` is a name, and names are numbered as they come.
pub(crate) const CURRENT_SQLITE: &str = current!("1", "$1", "account a where a.did = $2");

row! {
    struct CurrentRow {
        at: i64,
        session_ended: bool,
        id: i64,
        did: Text<Did>,
        handle: Text<Handle>,
        email: Option<String>,
        email_confirmed_at: Option<i64>,
        password_hash: Option<String>,
        token_epoch: i32,
        created_at: i64,
        activated_at: Option<i64>,
        deactivated_at: Option<i64>,
        delete_after: Option<i64>,
        takedown_ref: Option<String>,
    }
}

impl From<CurrentRow> for Current {
    fn from(row: CurrentRow) -> Self {
        let account = Account {
            id: AccountId(row.id),
            did: row.did.0,
            handle: row.handle.0,
            email: row.email,
            email_confirmed_at: row.email_confirmed_at,
            password_hash: row.password_hash,
            token_epoch: row.token_epoch,
            created_at: row.created_at,
            activated_at: row.activated_at,
            deactivated_at: row.deactivated_at,
            delete_after: row.delete_after,
            takedown_ref: row.takedown_ref,
        };
        Self { account, session_ended: row.session_ended }
    }
}

/// The accounts that are asked about, in the order of the questions, reserved ones included.
///
/// # Errors
/// When the database cannot be read.
pub async fn current(db: &Db, questions: Vec<Question>) -> Result<Vec<Option<Current>>> {
    let failed = Error::during("read", "accounts");
    match &db.pools {
        Pools::Sqlite { bulk, .. } => bulk.run(move |conn| of_each(conn, &questions)).await.map_err(failed),
        Pools::Postgres(pool) => of_all(pool, &questions).await.map_err(failed),
    }
}

fn of_each(conn: &rusqlite::Connection, questions: &[Question]) -> rusqlite::Result<Vec<Option<Current>>> {
    let mut statement = conn.prepare_cached(CURRENT_SQLITE)?;
    let mut answer = |question: &Question| {
        let asked = (question.session.as_deref(), question.did.as_str());
        statement.query_row(asked, |row| CurrentRow::try_from(row)).optional().map(|row| row.map(Current::from))
    };
    questions.iter().map(&mut answer).collect()
}

async fn of_all(pool: &PgPool, questions: &[Question]) -> sqlx::Result<Vec<Option<Current>>> {
    let dids: Vec<&str> = questions.iter().map(|question| question.did.as_str()).collect();
    let sessions: Vec<Option<&str>> = questions.iter().map(|question| question.session.as_deref()).collect();
    let rows = sqlx::query_as(CURRENT_POSTGRES).bind(&dids).bind(&sessions).fetch_all(pool);
    let rows: Vec<CurrentRow> = in_time_on(pool, rows).await.flatten()?;
    let mut answers = vec![None; questions.len()];
    for row in rows {
        // Ordinality counts from 1.
        let at = usize::try_from(row.at - 1).unwrap_or(usize::MAX);
        if let Some(answer) = answers.get_mut(at) {
            *answer = Some(row.into());
        }
    }
    Ok(answers)
}
