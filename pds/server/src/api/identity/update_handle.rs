use axum::extract::State;
use pds_syntax::Handle;
use serde::Deserialize;

use super::refuse::{refuse_handle, refuse_update};
use crate::{
    app::App,
    auth::Access,
    rate_limit::Client,
    xrpc::{Procedure, Result},
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
    client: Client,
    Procedure(input): Procedure<UpdateHandleInput>,
) -> Result<()> {
    let account = &access.account;
    let handle = input.handle;
    app.handles.check(&handle, Some(&account.did), &client.subject).await.map_err(refuse_handle)?;
    app.handles.update(account, &handle).await.map_err(|error| refuse_update(&account.did, error))
}
