//! Why a request that goes to a service has no answer.

use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use crate::xrpc::XrpcError;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The service has refused the request.
    Refused(Refusal),
    /// This server has.
    Here(XrpcError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<XrpcError> for Failure {
    fn from(error: XrpcError) -> Self {
        Self::Here(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Here(error) => error.into_response(),
        }
    }
}
