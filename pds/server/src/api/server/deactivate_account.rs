use axum::extract::State;
use pds_syntax::Datetime;
use serde::Deserialize;

use crate::{
    api::future,
    app::App,
    auth::Access,
    moderation::{self, AccountChange},
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.deactivateAccount`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeactivateAccountInput {
    delete_after: Option<Datetime>,
}

/// `com.atproto.server.deactivateAccount`
///
/// Switches an account off: it takes no writes, and others do not see it. After `deleteAfter` it is deleted.
pub async fn deactivate_account(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<DeactivateAccountInput>,
) -> Result<()> {
    let (account, now) = (&access.account, app.clock.now_us());
    let delete_after = input.delete_after.as_ref().map(|time| future("Input/deleteAfter", time, now)).transpose()?;
    let change = AccountChange { deactivated: Some(true), delete_after, ..AccountChange::default() };
    if !moderation::change_account(&app.db, &account.did, &change, now).await? {
        return Err(XrpcError::invalid("Account not found"));
    }
    tracing::info!(account.did = %account.did, "deactivated the account {}", account.did);
    Ok(())
}
