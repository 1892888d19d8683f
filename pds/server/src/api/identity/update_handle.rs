use axum::extract::State;
use serde::Deserialize;

use crate::{
    app::App,
    auth::Access,
    identity::{self, HandleError, update},
    report::chain,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.identity.updateHandle`.
#[derive(Debug, Deserialize)]
pub struct UpdateHandleInput {
    handle: String,
}

/// `com.atproto.identity.updateHandle`
pub async fn update_handle(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<UpdateHandleInput>,
) -> Result<()> {
    let account = &access.account;
    let handle = input.handle.parse().map_err(|_| XrpcError::invalid("Input/handle must be a valid handle"))?;
    let refuse = |error: HandleError| XrpcError::named(error.name(), error.to_string());
    identity::check(&app, &handle, Some(&account.did)).await.map_err(refuse)?;
    update::update(&app, account, &handle).await.map_err(|error| match error {
        update::Error::Store(pds_store::Error::HandleTaken { handle }) => refuse(HandleError::Taken(handle)),
        update::Error::Store(error) => error.into(),
        update::Error::NotInDocument => XrpcError::invalid(error.to_string()),
        update::Error::Refused { .. } => {
            tracing::warn!(account.did = %account.did, error = chain(&error), "a handle could not be published");
            XrpcError::invalid(error.to_string())
        }
        update::Error::Directory { source: pds_identity::Error::Unreachable { .. }, .. } => {
            tracing::warn!(error = chain(&error), "a handle could not be published");
            XrpcError::unavailable("The PLC directory is not available, nothing was changed, try again", 5)
        }
        update::Error::Directory { .. } => XrpcError::internal("changing a handle", &error),
    })
}
