//! Why an account is not taken over.

use std::io;

use pds_store::reference;

use crate::actor::import;

/// Why an account is not taken over. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A value of the account has not the form that it must have.
    #[error("its {name} {value:?} cannot be used: {reason}")]
    Value {
        /// The kind of value.
        name: &'static str,
        /// The value.
        value: String,
        /// Why.
        reason: String,
    },
    /// A file of it cannot be read.
    #[error(transparent)]
    Reference(#[from] reference::Error),
    /// Its file with the signing key contains none.
    #[error("its file with the signing key contains no key of secp256k1")]
    Key,
    /// There is no commit.
    #[error("its repository has no root")]
    NoRoot,
    /// The commit is not the one that the reference names.
    #[error("the commit {commit} has revision {found}, and the reference names revision {named}")]
    Revision {
        /// CID of the commit.
        commit: String,
        /// The revision in it.
        found: String,
        /// The revision beside it.
        named: String,
    },
    /// The repository is damaged, or signed with another key.
    #[error(transparent)]
    Repository(#[from] import::WholeError),
    /// The repository could not be copied to a temporary file.
    #[error("copy its repository to a temporary file")]
    Copy(#[from] io::Error),
    /// Its preferences are not JSON.
    #[error("its preferences are not JSON")]
    Preferences(#[source] serde_json::Error),
    /// Another account has its DID, its handle or its e-mail address.
    #[error(transparent)]
    Taken(pds_store::Error),
    /// An earlier run has taken it over, and it is not the same any more.
    #[error(
        "it was taken over before and has changed since ({what}): the reference has run meanwhile; begin again with an empty database"
    )]
    Changed {
        /// What differs.
        what: String,
    },
}
