use axum::extract::State;
use pds_identity::Error;
use pds_syntax::Nsid;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    rate_limit::Client,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.lexicon.resolveLexicon`.
#[derive(Debug, Deserialize)]
pub struct ResolveLexiconParams {
    nsid: Nsid,
}

/// `com.atproto.lexicon.resolveLexicon`
pub async fn resolve_lexicon(
    State(app): State<App>,
    client: Client,
    Query(params): Query<ResolveLexiconParams>,
) -> Result<Output<Value>> {
    let found = app.lexicons.resolve(&params.nsid, &client.subject).await.map_err(|error| match error {
        Error::Unreachable { .. } => XrpcError::unavailable(format!("Lexicon could not be looked up: {error}"), 60),
        error => XrpcError::named("LexiconNotFound", format!("Lexicon not found: {error}")),
    })?;
    Ok(Output(json!({"uri": found.uri, "cid": found.cid, "schema": found.schema})))
}
