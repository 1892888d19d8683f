use axum::extract::State;
use pds_store::account::{self, Question};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::view;
use crate::{
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Accounts of one call.
const MAX_DIDS: usize = 250;

/// Parameters of `com.atproto.admin.getAccountInfos`.
#[derive(Debug, Deserialize)]
pub struct GetAccountInfosParams {
    dids: Vec<Did>,
}

/// `com.atproto.admin.getAccountInfos`
///
/// Leaves out accounts that do not exist.
pub async fn get_account_infos(
    State(app): State<App>,
    Query(params): Query<GetAccountInfosParams>,
) -> Result<Output<Value>> {
    let mut dids = params.dids;
    if dids.len() > MAX_DIDS {
        return Err(XrpcError::invalid(format!(
            "Params/dids must have at most {MAX_DIDS} elements, found {}",
            dids.len()
        )));
    }
    dids.sort();
    dids.dedup();
    let questions = dids.into_iter().map(|did| Question { did, session: None }).collect();
    let found = account::current(&app.db, questions).await?;
    let mut infos = Vec::with_capacity(found.len());
    for current in found.into_iter().flatten().filter(|current| current.account.exists()) {
        infos.push(view(&app, &current.account).await?);
    }
    Ok(Output(json!({"infos": infos})))
}
