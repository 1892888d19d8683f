use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::Value;

use super::account::{by_did, view};
use crate::{
    app::App,
    xrpc::{Output, Query, Result},
};

/// Parameters of `com.atproto.admin.getAccountInfo`.
#[derive(Debug, Deserialize)]
pub struct GetAccountInfoParams {
    did: Did,
}

/// `com.atproto.admin.getAccountInfo`
pub async fn get_account_info(
    State(app): State<App>,
    Query(params): Query<GetAccountInfoParams>,
) -> Result<Output<Value>> {
    let account = by_did(&app, &params.did).await?;
    view(&app, &account).await.map(Output)
}
