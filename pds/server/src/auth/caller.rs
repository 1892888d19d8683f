//! The account of a request, for its log line.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

use axum::{extract::FromRequestParts, http::request::Parts};
use pds_syntax::Did;

/// The account that a request proved to come from. Set while the request is handled, read when the answer is there. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Caller(Arc<OnceLock<Did>>);

impl Caller {
    /// The account, if one was proven.
    pub fn did(&self) -> Option<&Did> {
        self.0.get()
    }

    /// Sets the account. The first valid credential of a request counts; later calls change nothing.
    pub fn set_did(&self, did: &Did) {
        let _ = self.0.set(did.clone());
    }

    pub(super) fn of(parts: &Parts) -> Self {
        parts.extensions.get().cloned().unwrap_or_default()
    }
}

/// For methods that check a password themselves.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}
