//! Reading many accounts with one statement.

use pds_syntax::{Did, Handle};
use rusqlite::OptionalExtension;
use sqlx::Postgres;

use super::{
    Account, AccountId,
    row::{account_columns, account_row},
};
use crate::{
    Db, Error, Result,
    column::Text,
    dialect::postgres::in_time_on,
    meter::here,
    pools::{Pool, Pools},
    row::row,
};

/// An account, and the session that a request belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// The account.
    pub did: Did,
    /// The identifier of a refresh token, from an access token of the same session.
    pub session: Option<String>,
}

/// An account as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Current {
    /// The account's row.
    pub account: Account,
    /// Whether the session of the question has ended.
    pub session_ended: bool,
}

macro_rules! current {
    ($at:literal, $session:literal, $from:literal) => {
        concat!(
            "select ",
            $at,
            ", exists (select 1 from ended_session e where e.jti = ",
            $session,
            "), ",
            account_columns!("a."),
            " from ",
            $from
        )
    };
}
// The first parameter has to come first in the text: to SQLite `$2` is a name, and names are numbered as they come.
pub(crate) const CURRENT_ONE: &str = current!("cast(1 as bigint)", "$1", "account a where a.did = $2");
pub(crate) const CURRENT_MANY: &str = current!(
    "q.at",
    "q.session",
    "unnest($1::text[], $2::text[]) with ordinality as q(did, session, at) join account a on a.did = q.did"
);

account_row! {
    struct CurrentRow {
        at: i64,
        session_ended: bool,
    }
}

impl From<CurrentRow> for Current {
    fn from(row: CurrentRow) -> Self {
        let session_ended = row.session_ended;
        Self { account: row.into(), session_ended }
    }
}

/// The accounts of the questions, in their order, with reserved ones.
///
/// # Errors
/// When the database cannot be read.
pub async fn current(db: &Db, questions: Vec<Question>) -> Result<Vec<Option<Current>>> {
    let failed = Error::during("read", "accounts");
    match &db.pools {
        Pools::Sqlite { bulk, .. } => bulk.run(here!(), move |conn| one_by_one(conn, &questions)).await.map_err(failed),
        Pools::Postgres(pool) => match &*questions {
            [question] => one(pool, question).await.map(|answer| vec![answer]),
            questions => all_at_once(pool, questions).await,
        }
        .map_err(failed),
    }
}

fn one_by_one(conn: &rusqlite::Connection, questions: &[Question]) -> rusqlite::Result<Vec<Option<Current>>> {
    let mut statement = conn.prepare_cached(CURRENT_ONE)?;
    let mut answer = |question: &Question| {
        let asked = (question.session.as_deref(), question.did.as_str());
        statement.query_row(asked, |row| CurrentRow::try_from(row)).optional().map(|row| row.map(Current::from))
    };
    questions.iter().map(&mut answer).collect()
}

/// Takes less than half of the server's time that a list of one takes.
async fn one(pool: &Pool<Postgres>, question: &Question) -> sqlx::Result<Option<Current>> {
    let query = sqlx::query_as(CURRENT_ONE).bind(question.session.as_deref()).bind(question.did.as_str());
    let row = async {
        let mut held = pool.acquire().await?;
        pool.meter().run(here!(), query.fetch_optional(&mut *held)).await
    };
    let row: Option<CurrentRow> = in_time_on(pool, row).await.flatten()?;
    Ok(row.map(Current::from))
}

async fn all_at_once(pool: &Pool<Postgres>, questions: &[Question]) -> sqlx::Result<Vec<Option<Current>>> {
    let dids: Vec<&str> = questions.iter().map(|question| question.did.as_str()).collect();
    let sessions: Vec<Option<&str>> = questions.iter().map(|question| question.session.as_deref()).collect();
    let query = sqlx::query_as(CURRENT_MANY).bind(&dids).bind(&sessions);
    let rows = async {
        let mut held = pool.acquire().await?;
        pool.meter().run(here!(), query.fetch_all(&mut *held)).await
    };
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
