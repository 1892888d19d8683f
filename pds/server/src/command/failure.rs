//! Why the program ends, and with which code.

use std::{path::PathBuf, process::ExitCode};

use pds_config::{DatabaseUrl, Errors, Fingerprint, var};

/// `EX_CONFIG` of sysexits.h: the same start fails again until a person has changed something.
const EX_CONFIG: u8 = 78;

/// A failure that only a person can repair.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Settings are missing or wrong.
    #[error("the settings are not valid:\n{0}")]
    Settings(Errors),
    /// The driver does not take the URL.
    #[error("{}: {reason}; allowed: {}", var::DATABASE_URL, DatabaseUrl::FORM)]
    DatabaseUrl { reason: String },
    /// The database keeps the fingerprint of other keys.
    #[error(
        "the database {database} belongs to the keys with fingerprint {recorded}, and the keys given here have fingerprint {given}: \
         restore the keys ({} and {}) that the database was made with, or point {} at another database",
        var::PLC_ROTATION_KEY,
        var::KEY_ENCRYPTION_KEY,
        var::DATABASE_URL
    )]
    OtherKeys { database: String, recorded: String, given: Fingerprint },
    /// The database keeps no fingerprint, and its accounts were sealed with another key.
    #[error(
        "the keys given here (fingerprint {given}) do not open the accounts in the database {database}: \
         restore the keys ({} and {}) that the database was made with, or point {} at another database",
        var::PLC_ROTATION_KEY,
        var::KEY_ENCRYPTION_KEY,
        var::DATABASE_URL
    )]
    OtherSeal { database: String, given: Fingerprint },
    /// The reference's settings are others than those of this server.
    #[error("the settings do not fit the data:\n{problems}")]
    OtherSettings { problems: String },
    /// The key in AWS KMS is none that can sign.
    #[error(transparent)]
    RotationKey(anyhow::Error),
    /// Not all of a data directory was imported.
    #[error(
        "the import of a data directory into this database has not ended: run `pds import-reference` again with the same directory, or point {} at another database",
        var::DATABASE_URL
    )]
    UnfinishedImport,
    /// The keys in the data directory are gone.
    #[error("the keys that the accounts in the database depend on are gone: put {} back, or set {lost}", file.display())]
    LostKeys { file: PathBuf, lost: String },
}

/// Why a migration failed, in the words of its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) enum Reason {
    /// The database belongs to other keys.
    KeysMismatch,
    /// A setting is wrong, or the server refused the user, the password or the database's name.
    InvalidSettings,
    /// The database does not answer; the same call may work later.
    Unavailable,
    /// Another failure; its message says which.
    Failed,
}

/// The code that the program ends with.
pub(super) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let code = match (refusal(error), store(error)) {
        (Some(_), _) | (_, Some(pds_store::Error::Url { .. })) => EX_CONFIG,
        _ => 1,
    };
    code.into()
}

/// The reason that a report gives.
pub(super) fn reason(error: &anyhow::Error) -> Reason {
    match (refusal(error), store(error)) {
        (Some(Refusal::OtherKeys { .. } | Refusal::OtherSeal { .. } | Refusal::LostKeys { .. }), _) => {
            Reason::KeysMismatch
        }
        (Some(_), _) | (_, Some(pds_store::Error::Url { .. })) => Reason::InvalidSettings,
        (_, Some(error)) if error.is_login_refused() => Reason::InvalidSettings,
        (_, Some(error)) if error.is_unavailable() => Reason::Unavailable,
        _ => Reason::Failed,
    }
}

/// The failure of a rotation key: a refusal if the same call fails again until a person has changed something.
pub(super) fn of_rotation_key(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<pds_kms::Error>() {
        Some(cause) if cause.is_final() => Refusal::RotationKey(error).into(),
        _ => error,
    }
}

/// The error and its causes in one line.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    match refusal(error) {
        Some(Refusal::Settings(Errors(problems))) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        _ => format!("{error:#}"),
    }
    .split_whitespace()
    .collect::<Vec<_>>()
    .join(" ")
}

fn refusal(error: &anyhow::Error) -> Option<&Refusal> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn store(error: &anyhow::Error) -> Option<&pds_store::Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}
