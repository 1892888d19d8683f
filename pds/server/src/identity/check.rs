//! Which handles an account may have on this host.

use pds_identity::Error as ResolveError;
use pds_store::reserved_label;
use pds_syntax::{Did, Handle};

use super::{Handles, reserved};

/// Why an account cannot have a handle.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Not a handle that may be used here.
    #[error("{0}")]
    Invalid(String),
    /// Kept for the host.
    #[error("Reserved handle")]
    Reserved,
    /// Below a domain that this host does not serve.
    #[error("Not a supported handle domain")]
    Unsupported,
    /// Too many lookups are under way.
    #[error("Too many lookups are under way, try again")]
    Busy,
    /// Another account has it.
    #[error("Handle already taken: {0}")]
    Taken(Handle),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl HandleError {
    /// The error name of an XRPC answer.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidHandle",
            Self::Reserved | Self::Taken(_) => "HandleNotAvailable",
            Self::Unsupported => "UnsupportedDomain",
            Self::Busy => "ServiceUnavailable",
            Self::Store(_) => "InternalServerError",
        }
    }
}

impl Handles {
    /// Checks that an account with `did` may use `handle`: below a domain of this host by its rules, elsewhere if the handle resolves to the
    /// DID. Whether another account has it is not checked. The lookup is one of the client at `address`.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self, handle: &Handle, did: Option<&Did>, address: &str) -> Result<(), HandleError> {
        self.check_for_host(handle, did, address).await?;
        if let Some(label) = self.own_label(handle)
            && (reserved::contains(label) || reserved_label::is_reserved(&self.parts().db, label).await?)
        {
            return Err(HandleError::Reserved);
        }
        Ok(())
    }

    /// As [`Handles::check`], for the host, who may give out the handles that are kept from others.
    ///
    /// # Errors
    /// Why not.
    pub async fn check_for_host(&self, handle: &Handle, did: Option<&Did>, address: &str) -> Result<(), HandleError> {
        if handle.is_disallowed_tld() {
            return Err(HandleError::Invalid(format!("Handle TLD is invalid or disallowed: {handle}")));
        }
        if let Some(label) = self.own_label(handle) {
            let invalid = HandleError::Invalid;
            return match label.len() {
                _ if label.contains('.') => Err(invalid(format!("Invalid characters in handle: {label} has a dot"))),
                0..3 => Err(invalid(format!("Handle too short: {label} has {}, at least 3 characters", label.len()))),
                19.. => Err(invalid(format!("Handle too long: {label} has {}, at most 18 characters", label.len()))),
                _ => Ok(()),
            };
        }
        let Some(did) = did else { return Err(HandleError::Unsupported) };
        // Not from the cache: the record that proves it was often set a moment ago.
        match self.lookups().fresh_handle(handle, address).await {
            Ok(found) if found == *did => Ok(()),
            Err(ResolveError::Busy) => Err(HandleError::Busy),
            _ => Err(HandleError::Invalid(format!("External handle did not resolve to DID: {handle}"))),
        }
    }
}
