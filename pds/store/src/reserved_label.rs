//! Labels below the host's domains that an administrator keeps from everybody.

use crate::{
    Error, Result, Source, Tx,
    source::{execute, on},
};

pub(crate) const GET: &str = "select label from reserved_label where label = $1";

/// Keeps a label from everybody who does not have it yet. Says whether it was free before.
///
/// # Errors
/// When the database cannot be written.
pub async fn reserve(tx: &mut Tx, label: &str, now: i64) -> Result<bool> {
    const SQL: &str = "insert into reserved_label (label, created_at) values ($1, $2) on conflict (label) do nothing";
    let added = execute!(tx, SQL, label, now).map_err(Error::during("reserve label", label))?;
    Ok(added == 1)
}

/// Whether a label is kept from everybody.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_reserved<'a>(source: impl Into<Source<'a>>, label: &str) -> Result<bool> {
    let found: Option<(String,)> = on!(source, conn => sqlx::query_as(GET).bind(label).fetch_optional(conn))
        .map_err(Error::during("read reserved label", label))?;
    Ok(found.is_some())
}
