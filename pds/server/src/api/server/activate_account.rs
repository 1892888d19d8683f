use axum::extract::State;

use crate::{
    app::App,
    auth::Access,
    moderation::{self, AccountChange},
    xrpc::{Result, XrpcError},
};

/// `com.atproto.server.activateAccount`
///
/// Switches an account on whose DID document names this host and the key of its repository here.
pub async fn activate_account(State(app): State<App>, access: Access) -> Result<()> {
    let account = &access.account;
    app.identities.check(account).await?;
    let change = AccountChange { deactivated: Some(false), ..AccountChange::default() };
    if !moderation::change_account(&app.db, &account.did, &change, app.clock.now_us()).await? {
        return Err(XrpcError::named("AccountNotFound", "user not found"));
    }
    tracing::info!(account.did = %account.did, "activated the account {}", account.did);
    Ok(())
}
