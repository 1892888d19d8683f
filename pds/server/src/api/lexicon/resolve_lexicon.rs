use axum::extract::State;
use pds_syntax::Nsid;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    identity::lexicons::Error,
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
    Query(params): Query<ResolveLexiconParams>,
) -> Result<Output<Value>> {
    let found = app.lexicons.resolve(&params.nsid).await.map_err(|error| match error {
        Error::NotFound(reason) => XrpcError::named("LexiconNotFound", format!("Lexicon not found: {reason}")),
        Error::Unreachable(reason) => XrpcError::unavailable(format!("Lexicon could not be looked up: {reason}"), 60),
    })?;
    Ok(Output(json!({"uri": found.uri, "cid": found.cid, "schema": found.schema})))
}
