//! Why a code was not made or not accepted.

use crate::mail;

/// A mailed code that was not made, or was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account has no address.
    #[error("account does not have an email address")]
    NoAddress,
    /// There is no such account any more.
    #[error("account not found")]
    NoAccount,
    /// The code is unknown, was used, was replaced, or is for something else.
    #[error("Token is invalid")]
    Invalid,
    /// The code is too old.
    #[error("Token is expired")]
    Expired,
    /// The address is confirmed, and to change it needs a code.
    #[error("confirmation token required")]
    CodeRequired,
    /// It is not the account's address.
    #[error("invalid email")]
    OtherAddress,
    /// A second factor by mail needs an address that is known to be read.
    #[error("Confirm your email address before you ask for sign-in codes by email")]
    Unconfirmed,
    /// The mail was not queued.
    #[error(transparent)]
    Mail(#[from] mail::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}
