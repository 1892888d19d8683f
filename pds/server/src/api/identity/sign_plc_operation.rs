use axum::extract::State;
use pds_store::email_token::Purpose;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::email,
    app::App,
    auth::Access,
    identity::Changes,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.identity.signPlcOperation`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignPlcOperationInput {
    token: Option<String>,
    rotation_keys: Option<Vec<String>>,
    also_known_as: Option<Vec<String>>,
    verification_methods: Option<Value>,
    services: Option<Value>,
}

/// `com.atproto.identity.signPlcOperation`
///
/// Signs with the host's rotation key, which the mailed code allows once. An operation that cannot be made does not use the code up.
pub async fn sign_plc_operation(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<SignPlcOperationInput>,
) -> Result<Output<Value>> {
    let missing = || XrpcError::invalid("email confirmation token required to sign PLC operations");
    let token = input.token.filter(|token| !token.is_empty()).ok_or_else(missing)?;
    let changes = Changes {
        rotation_keys: input.rotation_keys,
        also_known_as: input.also_known_as,
        verification_methods: input.verification_methods,
        services: input.services,
    };
    let operation = app.identities.sign(&access.account, changes).await?;
    let mut tx = app.db.begin().await?;
    email::check(&mut tx, &access.account, Purpose::PlcOperation, &token, app.clock.now_us()).await?;
    tx.commit().await?;
    tracing::info!(account.did = %access.account.did, "signed a PLC operation for {}", access.account.did);
    Ok(Output(json!({"operation": operation})))
}
