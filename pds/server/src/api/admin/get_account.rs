use axum::extract::State;
use pds_store::{
    account::{self, Status, suspension},
    usage,
};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::by_did;
use crate::{
    api::inactive,
    app::App,
    clock,
    xrpc::{Output, Query, Result},
};

/// Parameters of `dev.auroralocus.admin.getAccount`.
#[derive(Debug, Deserialize)]
pub struct GetAccountParams {
    did: Did,
}

/// `dev.auroralocus.admin.getAccount`
///
/// What the protocol's own methods do not say about an account.
pub async fn get_account(State(app): State<App>, Query(params): Query<GetAccountParams>) -> Result<Output<Value>> {
    let (account, now) = (by_did(&app, &params.did).await?, app.clock.now_us());
    let status = account.status_at(now);
    let mut output = json!({"did": account.did, "handle": account.handle, "active": status == Status::Active});
    let usage = usage::get(&app.db, account.id).await?;
    output["blobBytes"] = usage.blobs.into();
    if let Some(bytes) = usage.records {
        output["recordBytes"] = bytes.into();
    }
    if let Some(quota) = app.blobs.quota(&account) {
        output["quotaBytes"] = quota.into();
    }
    if let Some(own) = account.quota_bytes {
        output["ownQuotaBytes"] = own.into();
    }
    if let Some(status) = inactive(status) {
        output["status"] = status.into();
    }
    // One that is over and not ended yet is no suspension any more.
    let suspension = suspension(&app.db, account.id).await?.filter(|suspension| suspension.until > now);
    if let Some(account::Suspension { until, reason }) = suspension {
        output["suspension"] = json!({"until": clock::text(until)});
        if let Some(reason) = reason {
            output["suspension"]["reason"] = reason.into();
        }
    }
    Ok(Output(output))
}
