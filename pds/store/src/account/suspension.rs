//! Suspensions: accounts that the host closes until a time.

use super::AccountId;
use crate::{
    Error, Result, Source, Tx,
    source::{execute, on},
};

/// A suspension of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Suspension {
    /// When it ends; microseconds.
    pub until: i64,
    /// The host's reason, for other administrators alone.
    pub reason: Option<String>,
}

/// Suspends an account, or ends its suspension (`None`). Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_suspension(tx: &mut Tx, id: AccountId, suspension: Option<&Suspension>) -> Result<bool> {
    const SQL: &str = "update account set suspended_until = $2, suspension_reason = $3 where id = $1";
    let (until, reason) = match suspension {
        Some(Suspension { until, reason }) => (Some(*until), reason.as_deref()),
        None => (None, None),
    };
    let changed = execute!(tx, SQL, id.0, until, reason).map_err(Error::during("set suspension of account", id))?;
    Ok(changed == 1)
}

/// The suspension of an account. It may be over and not ended yet.
///
/// # Errors
/// When the database cannot be read.
pub async fn suspension<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Suspension>> {
    const SQL: &str =
        "select suspended_until, suspension_reason from account where id = $1 and suspended_until is not null";
    let row: Option<(i64, Option<String>)> = on!(source, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read suspension of account", id))?;
    Ok(row.map(|(until, reason)| Suspension { until, reason }))
}

pub(crate) const OVER: &str = "select id from account where suspended_until is not null and suspended_until <= $1 \
                               and deleted_at is null order by suspended_until limit $2";

/// Accounts whose suspensions are over at `now` (microseconds) and not ended yet. A deleted account keeps its suspension, so that it has it when it is
/// restored.
///
/// # Errors
/// When the database cannot be read.
pub async fn over_suspensions<'a>(source: impl Into<Source<'a>>, now: i64, limit: u32) -> Result<Vec<AccountId>> {
    let rows: Vec<(i64,)> = on!(source, conn => sqlx::query_as(OVER).bind(now).bind(i64::from(limit)).fetch_all(conn))
        .map_err(Error::during("list accounts whose suspensions are", "over"))?;
    Ok(rows.into_iter().map(|(id,)| AccountId(id)).collect())
}
