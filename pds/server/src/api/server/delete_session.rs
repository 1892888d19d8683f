use axum::extract::State;
use pds_crypto::session_token::ACCESS_SECONDS;
use pds_store::session;

use crate::{app::App, auth::Refresh, xrpc::Result};

/// `com.atproto.server.deleteSession`
///
/// Ends this session with all tokens that were ever issued for it, and no other session of the account. Takes an expired refresh token
/// too: logging out never fails for being late.
pub async fn delete_session(State(app): State<App>, refresh: Refresh) -> Result<()> {
    let mut tx = app.db.begin().await?;
    session::revoke(&mut tx, &refresh.jti, app.clock.now_us() + ACCESS_SECONDS * 1_000_000).await?;
    Ok(tx.commit().await?)
}
