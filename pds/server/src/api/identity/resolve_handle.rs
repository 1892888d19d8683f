use axum::extract::State;
use pds_syntax::Handle;
use serde::Deserialize;
use serde_json::{Value, json};

use super::resolve_identity::refuse_identity;
use crate::{
    app::App,
    rate_limit::Client,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.identity.resolveHandle`.
#[derive(Debug, Deserialize)]
pub struct ResolveHandleParams {
    handle: Handle,
}

/// `com.atproto.identity.resolveHandle`
pub async fn resolve_handle(
    State(app): State<App>,
    client: Client,
    Query(params): Query<ResolveHandleParams>,
) -> Result<Output<Value>> {
    match app.handles.resolve(&params.handle, &client.subject).await.map_err(refuse_identity)? {
        Some(did) => Ok(Output(json!({"did": did}))),
        None => Err(XrpcError::named("HandleNotFound", "Unable to resolve handle")),
    }
}
