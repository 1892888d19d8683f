//! Handles that an account cannot have, as answers.

use pds_syntax::Did;

use crate::{
    identity::{HandleError, UpdateError},
    report::chain,
    xrpc::XrpcError,
};

/// The answer for a handle that an account cannot have.
pub(in crate::api) fn refuse_handle(error: HandleError) -> XrpcError {
    match error {
        HandleError::Store(error) => error.into(),
        HandleError::Busy => XrpcError::unavailable(error.to_string(), 1),
        error => XrpcError::named(error.name(), error.to_string()),
    }
}

/// The answer for a handle that the account with this DID did not get.
pub(in crate::api) fn refuse_update(did: &Did, error: UpdateError) -> XrpcError {
    match error {
        UpdateError::Store(pds_store::Error::HandleTaken { handle }) => refuse_handle(HandleError::Taken(handle)),
        UpdateError::Store(error) => error.into(),
        UpdateError::NotInDocument => XrpcError::invalid(error.to_string()),
        UpdateError::Refused { .. } => {
            tracing::warn!(account.did = %did, error = chain(&error), "the PLC directory refused a new handle of {did}, and nothing was changed");
            XrpcError::invalid(error.to_string())
        }
        UpdateError::Directory { source: pds_identity::Error::Unreachable { .. }, .. } => {
            tracing::warn!(account.did = %did, error = chain(&error), "the handle of {did} was not changed: the PLC directory could not be reached");
            XrpcError::unavailable("The PLC directory is not available, nothing was changed, try again", 5)
        }
        UpdateError::Directory { source: pds_identity::Error::Unsigned { .. }, .. } => {
            tracing::error!(account.did = %did, error = chain(&error), "the handle of {did} was not changed: the PLC rotation key cannot be used");
            XrpcError::unavailable("The key that signs identities is not available, nothing was changed, try again", 5)
        }
        UpdateError::Directory { .. } => XrpcError::internal("changing a handle", &error),
    }
}
