use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::app_password::Error,
    app::App,
    auth::Access,
    clock,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.createAppPassword`.
#[derive(Debug, Deserialize)]
pub struct CreateAppPasswordInput {
    name: String,
    privileged: Option<bool>,
}

/// `com.atproto.server.createAppPassword`
pub async fn create_app_password(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<CreateAppPasswordInput>,
) -> Result<Output<Value>> {
    let CreateAppPasswordInput { name, privileged } = input;
    let privileged = privileged.unwrap_or(false);
    let created = app.app_passwords.create(&access.account, &name, privileged).await;
    let created = created.map_err(|error| refuse_app_password(&name, error))?;
    tracing::info!(account.did = %access.account.did, privileged, "created an app password of {}", access.account.did);
    Ok(Output(json!({
        "name": name,
        "password": *created.password,
        "createdAt": clock::text(created.created_at),
        "privileged": privileged,
    })))
}

/// The answer for an app password with this name that was not made.
pub(in crate::api) fn refuse_app_password(name: &str, error: Error) -> XrpcError {
    match error {
        Error::Store(pds_store::Error::AppPasswordExists) => {
            XrpcError::invalid(format!("The account has an app password with the name {name:?}: choose another name"))
        }
        Error::Store(error) => error.into(),
        refused => XrpcError::invalid(refused.to_string()),
    }
}
