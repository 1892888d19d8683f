use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::scopes::Scopes,
    api::server::refuse_app_password,
    app::App,
    auth::Access,
    clock,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `dev.auroralocus.account.createAppPassword`.
#[derive(Debug, Deserialize)]
pub struct CreateAppPasswordInput {
    name: String,
    scopes: Vec<String>,
}

/// `dev.auroralocus.account.createAppPassword`
///
/// As `com.atproto.server.createAppPassword`, for one that is limited.
pub async fn create_app_password(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<CreateAppPasswordInput>,
) -> Result<Output<Value>> {
    let CreateAppPasswordInput { name, scopes } = input;
    Scopes::read(&scopes).map_err(|refused| XrpcError::invalid(refused.to_string()))?;
    let account = &access.account;
    let created = app.app_passwords.create_limited(account, &name, &scopes.join(" ")).await;
    let created = created.map_err(|error| refuse_app_password(&name, error))?;
    tracing::info!(account.did = %account.did, "created a limited app password of {}", account.did);
    Ok(Output(json!({
        "name": name,
        "password": *created.password,
        "createdAt": clock::text(created.created_at),
        "scopes": scopes,
    })))
}
