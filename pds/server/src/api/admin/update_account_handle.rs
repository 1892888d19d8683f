use axum::extract::State;
use pds_syntax::{Did, Handle};
use serde::Deserialize;

use super::account::by_did;
use crate::{
    api::identity::{refuse_handle, refuse_update},
    app::App,
    rate_limit::Client,
    xrpc::{Procedure, Result},
};

/// Input of `com.atproto.admin.updateAccountHandle`.
#[derive(Debug, Deserialize)]
pub struct UpdateAccountHandleInput {
    did: Did,
    handle: Handle,
}

/// `com.atproto.admin.updateAccountHandle`
///
/// As the account's own `updateHandle`, but it may get a handle that is kept for the host.
pub async fn update_account_handle(
    State(app): State<App>,
    client: Client,
    Procedure(input): Procedure<UpdateAccountHandleInput>,
) -> Result<()> {
    let UpdateAccountHandleInput { did, handle } = input;
    let account = by_did(&app, &did).await?;
    app.handles.check_for_host(&handle, Some(&did), &client.subject).await.map_err(refuse_handle)?;
    app.handles.update(&account, &handle).await.map_err(|error| refuse_update(&did, error))?;
    tracing::info!(account.did = %did, handle = %handle, "an administrator changed the handle of {did}");
    Ok(())
}
