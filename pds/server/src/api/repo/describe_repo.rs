use axum::extract::State;
use pds_store::record;
use pds_syntax::AtIdentifier;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::open,
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.repo.describeRepo`.
#[derive(Debug, Deserialize)]
pub struct DescribeRepoParams {
    repo: AtIdentifier,
}

/// `com.atproto.repo.describeRepo`
pub async fn describe_repo(State(app): State<App>, Query(params): Query<DescribeRepoParams>) -> Result<Output<Value>> {
    let account = open(app.accounts.find(&params.repo).await?, &params.repo, app.clock.now_us())?;
    let document = app.resolver.did_naming(&account.did, &account.handle).await;
    let document = document.map_err(|error| XrpcError::invalid(format!("Could not resolve DID: {error}")))?;
    let collections = record::collections(&app.db, account.id).await?;
    let handle = app.handles.shown(&account).await;
    let correct = document.handle().is_some_and(|named| named == account.handle && named == handle);
    Ok(Output(json!({
        "handle": handle,
        "did": account.did,
        "didDoc": *document,
        "collections": collections,
        "handleIsCorrect": correct,
    })))
}
