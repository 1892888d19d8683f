use std::sync::Arc;

use axum::extract::State;
use pds_identity::Error;
use pds_repo::Cid;
use pds_syntax::Nsid;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    app::App,
    http::rate_limit::Meter,
    identity::lexicons::Published,
    rate_limit::{Client, UNKNOWN_LEXICONS},
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.lexicon.resolveLexicon`.
#[derive(Debug, Deserialize)]
pub struct ResolveLexiconParams {
    nsid: Nsid,
}

/// Output of `com.atproto.lexicon.resolveLexicon`.
#[derive(Debug, Serialize)]
pub struct ResolveLexiconOutput {
    uri: String,
    cid: Cid,
    schema: Box<RawValue>,
}

/// `com.atproto.lexicon.resolveLexicon`
pub async fn resolve_lexicon(
    State(app): State<App>,
    client: Client,
    meter: Meter,
    Query(params): Query<ResolveLexiconParams>,
) -> Result<Output<ResolveLexiconOutput>> {
    let known = app.lexicons.known(&params.nsid).await;
    if known.is_none() && !client.subject.is_empty() {
        meter.charge(&app, &UNKNOWN_LEXICONS, &client.subject, 1).await?;
    }
    answer(app.lexicons.resolve(&params.nsid, &client.subject).await)
}

fn answer(found: Result<Arc<Published>, Error>) -> Result<Output<ResolveLexiconOutput>> {
    let found = found.map_err(|error| match error {
        Error::Unreachable { .. } => XrpcError::unavailable(format!("Lexicon could not be looked up: {error}"), 60),
        error => XrpcError::named("LexiconNotFound", format!("Lexicon not found: {error}")),
    })?;
    let Published { uri, cid, schema } = &*found;
    Ok(Output(ResolveLexiconOutput { uri: uri.clone(), cid: *cid, schema: schema.clone() }))
}
