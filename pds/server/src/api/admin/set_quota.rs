use axum::extract::State;
use pds_store::account;
use pds_syntax::Did;
use serde::Deserialize;

use super::account::by_did;
use crate::{
    app::App,
    xrpc::{Procedure, Result},
};

/// Input of `dev.auroralocus.admin.setQuota`.
#[derive(Debug, Deserialize)]
pub struct SetQuotaInput {
    did: Did,
    bytes: Option<u64>,
}

/// `dev.auroralocus.admin.setQuota`
///
/// What the account has stored beyond its quota stays.
pub async fn set_quota(State(app): State<App>, Procedure(input): Procedure<SetQuotaInput>) -> Result<()> {
    let SetQuotaInput { did, bytes } = input;
    let account = by_did(&app, &did).await?;
    let mut tx = app.db.begin().await?;
    account::set_quota(&mut tx, account.id, bytes).await?;
    tx.commit().await?;
    tracing::info!(account.did = %did, quota_bytes = bytes, "an administrator changed the quota of {did}");
    Ok(())
}
