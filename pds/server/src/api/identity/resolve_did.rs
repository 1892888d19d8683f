use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use super::resolve_identity::refuse_document;
use crate::{
    app::App,
    rate_limit::Client,
    xrpc::{Output, Query, Result},
};

/// Parameters of `com.atproto.identity.resolveDid`.
#[derive(Debug, Deserialize)]
pub struct ResolveDidParams {
    did: Did,
}

/// `com.atproto.identity.resolveDid`
pub async fn resolve_did(
    State(app): State<App>,
    client: Client,
    Query(params): Query<ResolveDidParams>,
) -> Result<Output<Value>> {
    let found = app.handles.lookups().did(&params.did, &client.subject).await;
    let document = found.map_err(|error| refuse_document(&params.did, &error))?;
    Ok(Output(json!({"didDoc": *document})))
}
