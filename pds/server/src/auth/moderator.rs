//! Who moderates: the administrator, or the moderation service that the settings name.

use axum::http::{StatusCode, request::Parts};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};

use super::{
    admin::Admin,
    service::{Issuer, Trust},
};
use crate::{app::App, xrpc::XrpcError};

/// The administrator's password, or a service token of the moderation service.
pub(super) struct Moderator;

impl Moderator {
    pub(super) async fn prove(app: &App, parts: &Parts) -> Result<(), XrpcError> {
        if parts.headers.typed_get::<Authorization<Bearer>>().is_none() {
            return Admin::prove(app, parts);
        }
        let untrusted = || XrpcError::new(StatusCode::UNAUTHORIZED, "UntrustedIss", "Untrusted issuer");
        let service = app.settings.services.moderation.as_ref().ok_or_else(untrusted)?;
        Issuer::prove(app, parts, Trust::Service(&service.did)).await?;
        Ok(())
    }
}
