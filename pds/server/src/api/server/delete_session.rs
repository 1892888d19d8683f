use axum::extract::State;
use pds_store::session;

use crate::{app::App, auth::Refresh, xrpc::Result};

/// `com.atproto.server.deleteSession`
///
/// Takes an expired refresh token too: logging out never fails for being late.
pub async fn delete_session(State(app): State<App>, refresh: Refresh) -> Result<()> {
    let mut tx = app.db.begin().await?;
    session::revoke(&mut tx, &refresh.jti).await?;
    tx.commit().await?;
    Ok(())
}
