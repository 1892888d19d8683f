//! Holding an import while something is written for it.

use crate::{AccountId, Error, Result, Tx, source::on, tx::Open};

/// Returns whether the repository's import still has this token. If so, it keeps it until the transaction ends: a transaction that undoes
/// the import waits for this one. Commits of other repositories never wait.
pub(super) async fn hold(tx: &mut Tx, id: AccountId, token: &str) -> Result<bool> {
    const HELD: &str = "select 1 from repo where account_id = $1 and import_token = $2";
    const HOLD: &str = "select 1 from repo where account_id = $1 and import_token = $2 for key share";
    let sql = if matches!(tx.open, Open::Postgres(_)) { HOLD } else { HELD };
    let row: Option<(i32,)> = on!(tx, conn => sqlx::query_as(sql).bind(id.0).bind(token).fetch_optional(conn))
        .map_err(Error::during("hold import of account", id))?;
    Ok(row.is_some())
}
