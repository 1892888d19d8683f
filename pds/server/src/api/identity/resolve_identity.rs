use std::sync::Arc;

use axum::extract::State;
use pds_identity::{DidDocument, Error};
use pds_syntax::{AtIdentifier, Did, Handle};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    identity::{ResolveError, Resolved},
    rate_limit::Client,
    report::chain,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.identity.resolveIdentity`, and the input of `com.atproto.identity.refreshIdentity`.
#[derive(Debug, Deserialize)]
pub struct ResolveIdentityParams {
    pub(super) identifier: AtIdentifier,
}

/// `com.atproto.identity.defs#identityInfo`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityInfo {
    did: Did,
    handle: Handle,
    did_doc: Arc<DidDocument>,
}

/// `com.atproto.identity.resolveIdentity`
pub async fn resolve_identity(
    State(app): State<App>,
    client: Client,
    Query(params): Query<ResolveIdentityParams>,
) -> Result<Output<IdentityInfo>> {
    info(&app, &client, &params.identifier, false).await.map(Output)
}

/// An identity, from the caches or, if `fresh`, from the servers that have it.
pub(super) async fn info(app: &App, client: &Client, identifier: &AtIdentifier, fresh: bool) -> Result<IdentityInfo> {
    let resolved = app.handles.identity(identifier, fresh, &client.subject).await;
    let Resolved { did, handle, document } = resolved.map_err(refuse_identity)?;
    Ok(IdentityInfo { did, handle, did_doc: document })
}

/// The answer if an identity could not be resolved.
pub(super) fn refuse_identity(error: ResolveError) -> XrpcError {
    match error {
        ResolveError::NoHandle => XrpcError::named("HandleNotFound", error.to_string()),
        ResolveError::Busy => busy(),
        ResolveError::Document { did, source } => refuse_document(&did, &source),
        ResolveError::Store(error) => error.into(),
    }
}

fn busy() -> XrpcError {
    XrpcError::unavailable(ResolveError::Busy.to_string(), 5)
}

/// The answer if there is no document of `did`.
pub(super) fn refuse_document(did: &Did, error: &Error) -> XrpcError {
    match error {
        Error::NotFound(_) => XrpcError::named("DidNotFound", format!("Could not resolve DID: {did}")),
        Error::Tombstoned(_) => XrpcError::named("DidDeactivated", format!("DID is deactivated: {did}")),
        Error::Busy => busy(),
        // The server of a did:web is not a part of this one.
        _ if did.method() == "web" => XrpcError::invalid(format!("Could not resolve DID: {did}")),
        _ => {
            tracing::warn!(error = chain(error), "a DID could not be resolved: a request was answered 503");
            XrpcError::unavailable("The PLC directory is not available, try again", 5)
        }
    }
}
