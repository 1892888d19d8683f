//! Why a call failed.

use std::time::Duration;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service could not be reached, or the connection ended before the answer's head.
    #[error("the service could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service did not begin to respond in time.
    #[error("the service did not respond within {0:?}")]
    Timeout(Duration),
    /// The answer is longer than `PDS_PROXY_MAX_RESPONSE_SIZE`.
    #[error("the response has {found} bytes, of which {allowed} are allowed")]
    TooLong {
        /// According to its head.
        found: u64,
        /// As set.
        allowed: u64,
    },
    /// The service has failed so often that it is left alone for this long.
    #[error("the service is not called for another {0:?}, because it failed several times in a row")]
    Resting(Duration),
    /// Too many calls of this account are under way.
    #[error("the account has too many calls under way")]
    AccountBusy,
    /// Too many calls to this service, or to all, are under way.
    #[error("too many calls are under way")]
    Busy,
    /// The request's body is longer than allowed.
    #[error("the request's body is longer than {0} bytes")]
    InputTooLong(u64),
    /// The client ended, or sent its request too slowly.
    #[error("the request's body could not be read")]
    Input,
}

impl Error {
    /// The name in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::TooLong { .. } => "too_long",
            Self::Resting(_) => "resting",
            Self::AccountBusy => "account_busy",
            Self::Busy => "busy",
            Self::InputTooLong(_) | Self::Input => "input",
        }
    }
}
