use axum::extract::State;
use pds_store::{account, session};

use crate::{app::App, auth::Refresh, xrpc::Result};

/// `com.atproto.server.deleteSession`
///
/// Takes an expired refresh token too: logging out never fails for being late.
pub async fn delete_session(State(app): State<App>, refresh: Refresh) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if session::revoke(&mut tx, &refresh.jti).await?
        && let Some(account) = account::by_did(&mut tx, &refresh.did).await?
    {
        // An access token does not say which session it is of. Those of the account's other sessions end too; their clients refresh.
        account::bump_epoch(&mut tx, account.id).await?;
    }
    tx.commit().await?;
    Ok(())
}
