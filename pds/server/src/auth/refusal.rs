//! Refusals of accounts because of their state, and of sessions because of their limits.

use std::fmt::Display;

use axum::http::StatusCode;
use pds_store::account::Status;

use crate::{clock, xrpc::XrpcError};

/// Refuses the states in which an account may not write.
///
/// # Errors
/// The answer to the client.
pub(crate) fn may_write(status: Status) -> Result<(), XrpcError> {
    match status {
        Status::Active => Ok(()),
        Status::Deactivated => {
            Err(XrpcError::new(StatusCode::UNAUTHORIZED, "AccountDeactivated", "Account is deactivated"))
        }
        Status::Suspended { until } => Err(XrpcError::new(
            StatusCode::FORBIDDEN,
            "AccountSuspended",
            format!("Account is suspended until {}", clock::text(until)),
        )),
        Status::TakenDown => Err(account_takedown()),
        Status::Creating | Status::Deleted => Err(XrpcError::auth_required("Account not found")),
    }
}

/// Refuses the states in which an account may not bring data, as one that is deactivated because it moves here may.
///
/// # Errors
/// The answer to the client.
pub(crate) fn may_bring(status: Status) -> Result<(), XrpcError> {
    match status {
        Status::Deactivated => Ok(()),
        status => may_write(status),
    }
}

/// The error for an account that the host took down.
pub(crate) fn account_takedown() -> XrpcError {
    XrpcError::new(StatusCode::UNAUTHORIZED, "AccountTakedown", "Account has been taken down")
}

/// The error for a session of a limited app password, which lacks a scope. The name is that of the reference implementation.
pub(crate) fn missing_scope(scope: impl Display) -> XrpcError {
    XrpcError::new(StatusCode::FORBIDDEN, "ScopeMissingError", format!("Missing required scope \"{scope}\""))
}
