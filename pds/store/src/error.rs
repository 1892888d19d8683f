//! What can go wrong, with the operation and the row it was about.

use std::fmt::Display;

use pds_syntax::{Did, Handle};

use crate::{AccountId, AppPasswordId};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation of the store. Messages carry no SQL and no secret; the source may, and belongs in the log only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database address cannot be used.
    #[error("the database URL is not usable: {reason}")]
    Url {
        /// What is wrong with it; never the address itself, which may hold a password.
        reason: String,
    },
    /// The database could not be reached, or refused the connection.
    #[error("connect to the database")]
    Connect {
        /// The driver's reason.
        #[source]
        source: sqlx::Error,
    },
    /// The database is reachable but configured so that acknowledged writes could be lost.
    #[error("the database is not fit for use: {reason}")]
    Unfit {
        /// The setting, its value and what is needed.
        reason: String,
    },
    /// The schema could not be migrated.
    #[error("migrate the database schema")]
    Migrate {
        /// The migrator's reason.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("{operation} ({id})")]
    Query {
        /// What was being done, as a verb phrase.
        operation: &'static str,
        /// The row or key it was about.
        id: String,
        /// The driver's reason.
        #[source]
        source: sqlx::Error,
    },
    /// Stored bytes do not decode: the database was damaged or written by something else.
    #[error("stored {what} {id} is damaged: {reason}")]
    Damaged {
        /// The kind of row.
        what: &'static str,
        /// Its key.
        id: String,
        /// Why it does not decode.
        reason: String,
    },
    /// Another account has this DID.
    #[error("an account with DID {did} exists")]
    DidTaken {
        /// The DID asked for.
        did: Did,
    },
    /// Another account has this handle.
    #[error("handle {handle} is taken")]
    HandleTaken {
        /// The handle asked for.
        handle: Handle,
    },
    /// Another account has this e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The account is not (or no longer) reserved: its reservation was given back, or it is already active.
    #[error("account {id} is not reserved")]
    NotReserved {
        /// The account's key.
        id: AccountId,
    },
    /// The import of a repository took so long that it was undone.
    #[error("the import of account {id} was undone")]
    ImportLost {
        /// The account's key.
        id: AccountId,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
    /// A question that was asked for several callers at once failed.
    #[error(transparent)]
    Shared(std::sync::Arc<Error>),
    /// The app password was revoked.
    #[error("app password {id} was revoked")]
    AppPasswordRevoked {
        /// The app password's key.
        id: AppPasswordId,
    },
    /// The account has another app password with this name.
    #[error("the account has an app password of this name")]
    AppPasswordExists,
    /// The invite code is unknown, disabled, expired or used up.
    #[error("the invite code cannot be used")]
    InviteUnusable,
}

impl Error {
    /// For `map_err`: names the operation and the row.
    pub(crate) fn during(operation: &'static str, id: impl Display) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { operation, id: id.to_string(), source }
    }

    /// The driver's error beneath, if there is one.
    pub(crate) fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Connect { source } | Self::Query { source, .. } => Some(source),
            Self::Migrate { source: sqlx::migrate::MigrateError::Execute(source) } => Some(source),
            Self::Shared(error) => error.driver(),
            _ => None,
        }
    }

    /// Whether the server refused the user, the password or the name of the database: another URL is needed.
    #[must_use]
    pub fn is_login_refused(&self) -> bool {
        let code = self.driver().and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
        code.is_some_and(|code| code.len() == 5 && (code.starts_with("28") || code == "3D000"))
    }

    /// Whether a lock was not free in time (Postgres): nothing was done, and the same may be tried again.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        let code = self.driver().and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
        code.is_some_and(|code| code == "55P03")
    }

    /// Whether the database (not the request) is the problem and the same call may work later: answer 503.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Stopped) || self.driver().is_some_and(is_unavailable)
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// Postgres: connection (08), resources (53), shutdown and start (57P), read-only after a failover (25006), and the
/// transactions it ended to keep others alive (40, 25P03), locks that were not free in time (55P03). SQLite: busy (5), locked (6) and full (13), with their
/// extended codes.
fn is_unavailable_code(code: &str) -> bool {
    match code.len() {
        5 => ["08", "53", "57P", "25006", "25P03", "40", "55P03"].iter().any(|prefix| code.starts_with(prefix)),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13)),
    }
}

/// Whether a unique constraint on one column was the reason. Postgres names the constraint (`account_handle_key`),
/// SQLite the column (`account.handle`).
pub(crate) fn violates_unique(error: &sqlx::Error, table: &str, column: &str) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    if !error.is_unique_violation() {
        return false;
    }
    match error.constraint() {
        Some(constraint) => constraint == format!("{table}_{column}_key"),
        None => error.message().ends_with(&format!("{table}.{column}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_pass_by_themselves_are_unavailable() {
        for code in ["08006", "53300", "57P01", "25006", "25P03", "40P01", "55P03", "5", "261", "6", "53100", "13"] {
            assert!(is_unavailable_code(code), "{code}");
        }
        for code in ["23505", "42P01", "2067", "19", "57014"] {
            assert!(!is_unavailable_code(code), "{code}");
        }
    }
}
