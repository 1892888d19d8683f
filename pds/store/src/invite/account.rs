//! The invite codes that an account makes itself, and whether it may.

use crate::{
    AccountId, Error, Result, Source, Tx,
    source::{execute, on},
};

/// How many codes an account has made itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Routine {
    /// Of these, how many can be used.
    pub open: u32,
    /// Of these, how many were made after the epoch.
    pub since_epoch: u32,
}

/// Counts the codes that the account with this DID has made itself; `epoch` is in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn routine<'a>(source: impl Into<Source<'a>>, did: &str, epoch: i64) -> Result<Routine> {
    const SQL: &str = "select coalesce(sum(case when not disabled and used < available then 1 else 0 end), 0), \
                       coalesce(sum(case when created_at > $2 then 1 else 0 end), 0) \
                       from invite_code where for_account = $1 and created_by = $1";
    let (open, since_epoch): (i64, i64) =
        on!(source, conn => sqlx::query_as(SQL).bind(did).bind(epoch).fetch_one(conn))
            .map_err(Error::during("count invite codes of", did))?;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Routine { open: count(open), since_epoch: count(since_epoch) })
}

/// Whether an account may make no usable codes, and the administrator's note about it. `None` if there is no such account.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_disabled<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<(bool, Option<String>)>> {
    const SQL: &str = "select invites_disabled, invite_note from account where id = $1";
    on!(source, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read invite rules of account", id))
}

/// Forbids an account to make usable codes, or allows it again. A note replaces the one before; without a note that one stays.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_disabled(tx: &mut Tx, id: AccountId, disabled: bool, note: Option<&str>) -> Result<()> {
    const SQL: &str = "update account set invites_disabled = $2, invite_note = coalesce($3, invite_note) where id = $1";
    execute!(tx, SQL, id.0, disabled, note).map_err(Error::during("change invite rules of account", id))?;
    Ok(())
}
