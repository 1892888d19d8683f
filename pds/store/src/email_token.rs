//! Codes that were mailed to prove that a person reads an address: at most one for each account and purpose.
//!
//! Only hashes are stored, and the hash of a code depends on its purpose. A code is good for the address that it was sent to, once, until it expires.

use crate::{
    AccountId, Error, Result, Source, Tx,
    source::{execute, on},
};

/// What a code is good for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// Confirms the address of the account.
    ConfirmEmail,
    /// Replaces a confirmed address, or switches the second factor off.
    UpdateEmail,
    /// Sets a new password.
    ResetPassword,
    /// Deletes the account.
    DeleteAccount,
    /// Signs an operation for the account's entry in the PLC directory.
    PlcOperation,
    /// Signs in, together with the password.
    AuthFactor,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ConfirmEmail,
        Self::UpdateEmail,
        Self::ResetPassword,
        Self::DeleteAccount,
        Self::PlcOperation,
        Self::AuthFactor,
    ];

    /// The name in the database; it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm_email",
            Self::UpdateEmail => "update_email",
            Self::ResetPassword => "reset_password",
            Self::DeleteAccount => "delete_account",
            Self::PlcOperation => "plc_operation",
            Self::AuthFactor => "auth_factor",
        }
    }
}

/// A code to store.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Whose it is.
    pub account_id: AccountId,
    /// What it is good for.
    pub purpose: Purpose,
    /// Hash of purpose and code.
    pub hash: &'a [u8; 32],
    /// The address that it is sent to.
    pub email: &'a str,
    /// When it expires; microseconds.
    pub expires_at: i64,
}

/// A stored code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Whose it is.
    pub account_id: AccountId,
    /// The address that it was sent to.
    pub email: String,
    /// When it expires; microseconds.
    pub expires_at: i64,
}

/// Stores a code in place of the account's earlier one for the same purpose.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(tx: &mut Tx, new: &NewToken<'_>) -> Result<()> {
    const SQL: &str = "insert into email_token (account_id, purpose, token_hash, email, expires_at) \
                       values ($1, $2, $3, $4, $5) on conflict (account_id, purpose) do update set \
                       token_hash = excluded.token_hash, email = excluded.email, expires_at = excluded.expires_at";
    let email = new.email.to_lowercase();
    execute!(tx, SQL, new.account_id.0, new.purpose.name(), new.hash.as_slice(), email, new.expires_at)
        .map_err(Error::during("store e-mail code of account", new.account_id))?;
    Ok(())
}

pub(crate) const GET: &str =
    "select account_id, email, expires_at from email_token where token_hash = $1 and purpose = $2";

/// The code with this hash, expired or not.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, purpose: Purpose, hash: &[u8; 32]) -> Result<Option<Token>> {
    let row: Option<(i64, String, i64)> =
        on!(source, conn => sqlx::query_as(GET).bind(hash.as_slice()).bind(purpose.name()).fetch_optional(conn))
            .map_err(Error::during("read", "e-mail code"))?;
    Ok(row.map(token))
}

/// Removes the code with this hash, expired or not, and returns it. Of several who take it at the same time one gets it.
///
/// # Errors
/// When the database cannot be written.
pub async fn take(tx: &mut Tx, purpose: Purpose, hash: &[u8; 32]) -> Result<Option<Token>> {
    const SQL: &str =
        "delete from email_token where token_hash = $1 and purpose = $2 returning account_id, email, expires_at";
    let row: Option<(i64, String, i64)> =
        on!(tx, conn => sqlx::query_as(SQL).bind(hash.as_slice()).bind(purpose.name()).fetch_optional(conn))
            .map_err(Error::during("use", "e-mail code"))?;
    Ok(row.map(token))
}

/// Voids all codes of an account.
///
/// # Errors
/// When the database cannot be written.
pub async fn void(tx: &mut Tx, id: AccountId) -> Result<u64> {
    const SQL: &str = "delete from email_token where account_id = $1";
    execute!(tx, SQL, id.0).map_err(Error::during("void e-mail codes of account", id))
}

/// Forgets the codes of all accounts that expired by `before`, in microseconds. Returns how many there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_expired(tx: &mut Tx, before: i64) -> Result<u64> {
    const SQL: &str = "delete from email_token where expires_at <= $1";
    execute!(tx, SQL, before).map_err(Error::during("forget", "expired e-mail codes"))
}

fn token((account_id, email, expires_at): (i64, String, i64)) -> Token {
    Token { account_id: AccountId(account_id), email, expires_at }
}
