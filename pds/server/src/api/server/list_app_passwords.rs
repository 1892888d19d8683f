use axum::extract::State;
use pds_store::app_password::AppPassword;
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::Access,
    clock,
    xrpc::{Output, Result},
};

/// `com.atproto.server.listAppPasswords`
pub async fn list_app_passwords(State(app): State<App>, access: Access) -> Result<Output<Value>> {
    let view = |AppPassword { name, privileged, created_at, .. }| json!({"name": name, "createdAt": clock::text(created_at), "privileged": privileged});
    let passwords = app.app_passwords.list(&access.account).await?;
    Ok(Output(json!({"passwords": passwords.into_iter().map(view).collect::<Vec<_>>()})))
}
