use axum::extract::State;
use pds_store::{account, session};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::Value;

use super::account::by_did;
use crate::{
    api::session::{Page, end, list},
    app::App,
    xrpc::{Output, Procedure, Query, Result},
};

/// Parameters of `dev.auroralocus.admin.listSessions`.
#[derive(Debug, Deserialize)]
pub struct ListSessionsParams {
    did: Did,
    limit: u32,
    cursor: Option<String>,
}

/// `dev.auroralocus.admin.listSessions`
pub async fn list_sessions(State(app): State<App>, Query(params): Query<ListSessionsParams>) -> Result<Output<Value>> {
    let ListSessionsParams { did, limit, cursor } = params;
    let account = by_did(&app, &did).await?;
    list(&app, account.id, &Page { limit, cursor }, None).await.map(Output)
}

/// Input of `dev.auroralocus.admin.revokeSessions`.
#[derive(Debug, Deserialize)]
pub struct RevokeSessionsInput {
    did: Did,
    id: Option<String>,
}

/// `dev.auroralocus.admin.revokeSessions`
///
/// All sessions of the account, or one. Its password and app passwords stay as they are.
pub async fn revoke_sessions(State(app): State<App>, Procedure(input): Procedure<RevokeSessionsInput>) -> Result<()> {
    let RevokeSessionsInput { did, id } = input;
    let account = by_did(&app, &did).await?;
    if let Some(id) = id {
        end(&app, account.id, &id).await?;
        tracing::info!(account.did = %did, "an administrator ended a session of {did}");
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    account::bump_epoch(&mut tx, account.id).await?;
    session::revoke_all(&mut tx, account.id).await?;
    tx.commit().await?;
    tracing::info!(account.did = %did, "an administrator ended all sessions of {did}");
    Ok(())
}
