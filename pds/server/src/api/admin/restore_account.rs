use axum::extract::State;
use pds_store::account::{self, Account, Deleted};
use pds_syntax::{AtIdentifier, Handle};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::by_did;
use crate::{
    account::deletion,
    api::{identity::refuse_handle, inactive},
    app::App,
    identity::HandleError,
    rate_limit::Client,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `dev.auroralocus.admin.restoreAccount`.
#[derive(Debug, Deserialize)]
pub struct RestoreAccountInput {
    account: AtIdentifier,
    handle: Option<Handle>,
}

/// `dev.auroralocus.admin.restoreAccount`
///
/// As long as the account's data is not being removed. Its sessions stay ended, its password and app passwords are good again.
pub async fn restore_account(
    State(app): State<App>,
    client: Client,
    Procedure(input): Procedure<RestoreAccountInput>,
) -> Result<Output<Value>> {
    let RestoreAccountInput { account, handle } = input;
    let not_found =
        || XrpcError::named("NotFound", format!("There is no deleted account {account}, or its data has been removed"));
    let deleted = find(&app, &account).await?.ok_or_else(not_found)?;
    if let Some(handle) = &handle {
        app.handles.check_for_host(handle, Some(&deleted.did), &client.subject).await.map_err(refuse_handle)?;
    }
    let Deleted { id, did, handle: former, .. } = &deleted;
    let now = app.clock.now_us();
    let mut tx = app.db.begin().await?;
    // The directory names the former handle.
    let change = match &handle {
        Some(handle) if handle != former => Some(account::begin_handle_change(&mut tx, *id, now).await?),
        _ => None,
    };
    let restored = deletion::restore(&mut tx, &deleted, now, handle.as_ref()).await;
    let restored = restored.map_err(|error| match error {
        pds_store::Error::HandleTaken { handle } => refuse_handle(HandleError::Taken(handle)),
        error => error.into(),
    })?;
    let restored = restored.ok_or_else(not_found)?;
    tx.commit().await?;
    if let Some(change) = change {
        app.handles.settle(change, *id, did).await;
    }
    tracing::info!(account.did = %did, "an administrator restored the deleted account {did}");
    let account: Account = by_did(&app, did).await?;
    let mut output = json!({"did": did, "handle": account.handle, "lostEmail": restored.lost_email});
    if let Some(status) = inactive(account.status_at(now)) {
        output["status"] = status.into();
    }
    Ok(Output(output))
}

async fn find(app: &App, account: &AtIdentifier) -> pds_store::Result<Option<Deleted>> {
    match account {
        AtIdentifier::Did(did) => account::deleted(&app.db, did).await,
        AtIdentifier::Handle(handle) => account::deleted_with_handle(&app.db, handle).await,
    }
}
