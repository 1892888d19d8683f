//! A new password ends every session that the account has.

use pds_store::{
    Db, Tx,
    account::{self, Account},
    email_token::Purpose,
    session,
};

use super::email::{self, Error};

/// Sets a new password: all refresh tokens are gone, and no replica accepts an access token that was issued before.
///
/// # Errors
/// When the database fails.
pub async fn set(tx: &mut Tx, account: &Account, hash: &str) -> pds_store::Result<()> {
    account::set_password_hash(tx, account.id, hash).await?;
    session::revoke_all(tx, account.id).await?;
    Ok(())
}

/// Sets a new password for the account of a mailed code. `now` is in microseconds.
///
/// # Errors
/// When the code is not good; nothing is changed then.
pub async fn reset(db: &Db, account: &Account, code: &str, hash: &str, now: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let account = account::lock(&mut tx, account.id).await?.filter(Account::exists).ok_or(Error::Invalid)?;
    email::check(&mut tx, &account, Purpose::ResetPassword, code, now).await?;
    set(&mut tx, &account, hash).await?;
    Ok(tx.commit().await?)
}
