//! Errors as clients see them.

use std::fmt::Display;

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{identity::identities, report::chain, upstream};

/// An error answer: status, the lexicon's error name, a message for people. Causes go to the log, never to the client.
#[derive(Debug)]
pub struct XrpcError {
    /// HTTP status.
    pub status: StatusCode,
    /// Error name.
    pub error: &'static str,
    /// For the client.
    pub message: String,
    /// Seconds, for the header `Retry-After`.
    pub retry_after: Option<u32>,
}

impl XrpcError {
    /// An error of the given status.
    pub fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), retry_after: None }
    }

    /// 400 with a name of the method's lexicon.
    pub fn named(error: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, message)
    }

    /// 400 `InvalidRequest`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::named("InvalidRequest", message)
    }

    /// 400 `RepoNotFound`; `repo` is the DID or the identifier that the client sent.
    pub fn repo_not_found(repo: impl Display) -> Self {
        Self::named("RepoNotFound", format!("Could not find repo for DID: {repo}"))
    }

    /// 401 `AuthenticationRequired`.
    pub fn auth_required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AuthenticationRequired", message)
    }

    /// 502: another service failed.
    pub fn upstream(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "UpstreamFailure", message)
    }

    /// 503: try again after `seconds`.
    pub fn unavailable(message: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message) }
    }

    /// 500; `cause` is logged here, with everything behind it, and nowhere else.
    pub fn internal(doing: &str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = chain(cause), "{doing} failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
    }
}

impl From<pds_store::Error> for XrpcError {
    fn from(error: pds_store::Error) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = chain(&error), "the database is not available: a request was answered 503");
            return Self::unavailable("The database is not available, try again", 1);
        }
        Self::internal("database operation", &error)
    }
}

impl From<crate::account::password::Error> for XrpcError {
    fn from(error: crate::account::password::Error) -> Self {
        match error {
            crate::account::password::Error::Busy => {
                Self::unavailable("Too many passwords are being checked, try again", 2)
            }
            error => Self::internal("hashing a password", &error),
        }
    }
}

impl From<identities::Error> for XrpcError {
    fn from(error: identities::Error) -> Self {
        use identities::Error;
        match error {
            Error::Store(error) => error.into(),
            Error::Missing => Self::named("AccountNotFound", error.to_string()),
            Error::Key { .. } => Self::internal("using a signing key", &error),
            Error::Unresolved { source: pds_identity::Error::Unreachable { .. }, .. } => {
                tracing::warn!(error = chain(&error), "a DID could not be resolved: a request was answered 503");
                Self::unavailable("The DID document cannot be read at the moment, nothing was changed, try again", 5)
            }
            Error::Unsigned { .. } => {
                tracing::error!(
                    error = chain(&error),
                    "the PLC rotation key cannot be used: a request was answered 503"
                );
                Self::unavailable("The key that signs identities is not available, nothing was changed, try again", 5)
            }
            Error::Full => Self::unavailable(error.to_string(), 600),
            Error::Unresolved { .. }
            | Error::Tombstoned
            | Error::Unfit(_)
            | Error::Malformed(_)
            | Error::Incorrect(_)
            | Error::NotPlc(_)
            | Error::Refused { .. } => Self::invalid(error.to_string()),
        }
    }
}

impl From<upstream::Error> for XrpcError {
    fn from(error: upstream::Error) -> Self {
        use upstream::Error;
        const UNREACHABLE: &str = "Upstream service unreachable";
        match error {
            Error::Unreachable(_) => Self::upstream(UNREACHABLE),
            Error::Timeout(_) => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "UpstreamTimeout", "Upstream service did not respond in time")
            }
            Error::TooLong { .. } => Self::upstream("Upstream response too large"),
            Error::Resting(time) => {
                let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1);
                Self { retry_after: Some(seconds), ..Self::upstream(UNREACHABLE) }
            }
            Error::AccountBusy => {
                Self::unavailable("Too many requests of this account to other services are under way, try again", 1)
            }
            Error::Busy => Self::unavailable("Too many requests to other services are under way, try again", 1),
            Error::InputTooLong(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", "request entity too large")
            }
            Error::Input => Self::invalid("The request's body could not be read"),
        }
    }
}

impl From<pds_blobstore::Error> for XrpcError {
    fn from(error: pds_blobstore::Error) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = chain(&error), "the blob store is not available: a request was answered 503");
            return Self::unavailable("The blob store is not available, try again", 1);
        }
        Self::internal("blob store operation", &error)
    }
}

impl IntoResponse for XrpcError {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let mut answer =
            (self.status, headers, Json(json!({"error": self.error, "message": self.message}))).into_response();
        // For the request's log line.
        answer.extensions_mut().insert(ErrorName(self.error));
        answer
    }
}

/// The error name of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ErrorName(pub &'static str);
