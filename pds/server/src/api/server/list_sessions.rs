use axum::{extract::State, http::HeaderMap};
use pds_store::session;
use serde_json::Value;

use crate::{
    api::session::{Page, list},
    app::App,
    auth::{Access, session_of},
    xrpc::{Output, Query, Result},
};

/// `dev.auroralocus.server.listSessions`
pub async fn list_sessions(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Output<Value>> {
    let current = match session_of(&app, &headers) {
        Some(jti) => session::of_token(&app.db, &jti).await?,
        None => None,
    };
    // An access token of the release before last names no session: then none is the current one.
    let current = current.unwrap_or_default();
    list(&app, access.account.id, &page, Some(&current)).await.map(Output)
}
