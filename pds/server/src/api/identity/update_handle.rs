use axum::extract::State;
use pds_syntax::Handle;
use serde::Deserialize;

use crate::{
    app::App,
    auth::Access,
    identity::{HandleError, UpdateError},
    report::chain,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.identity.updateHandle`.
#[derive(Debug, Deserialize)]
pub struct UpdateHandleInput {
    handle: Handle,
}

/// `com.atproto.identity.updateHandle`
pub async fn update_handle(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<UpdateHandleInput>,
) -> Result<()> {
    let account = &access.account;
    let handle = input.handle;
    let refuse = |error: HandleError| XrpcError::named(error.name(), error.to_string());
    app.handles.check(&handle, Some(&account.did)).await.map_err(refuse)?;
    app.handles.update(account, &handle).await.map_err(|error| match error {
        UpdateError::Store(pds_store::Error::HandleTaken { handle }) => refuse(HandleError::Taken(handle)),
        UpdateError::Store(error) => error.into(),
        UpdateError::NotInDocument => XrpcError::invalid(error.to_string()),
        UpdateError::Refused { .. } => {
            tracing::warn!(account.did = %account.did, error = chain(&error), "updateHandle failed: the PLC directory could not be reached, and nothing was changed");
            XrpcError::invalid(error.to_string())
        }
        UpdateError::Directory { source: pds_identity::Error::Unreachable { .. }, .. } => {
            tracing::warn!(error = chain(&error), "updateHandle failed: the PLC directory could not be reached, and nothing was changed");
            XrpcError::unavailable("The PLC directory is not available, nothing was changed, try again", 5)
        }
        UpdateError::Directory { .. } => XrpcError::internal("changing a handle", &error),
    })
}
