use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::App,
    auth::Access,
    xrpc::{Procedure, Result},
};

/// Input of `com.atproto.identity.submitPlcOperation`.
#[derive(Debug, Deserialize)]
pub struct SubmitPlcOperationInput {
    operation: Value,
}

/// `com.atproto.identity.submitPlcOperation`
pub async fn submit_plc_operation(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<SubmitPlcOperationInput>,
) -> Result<()> {
    Ok(app.identities.submit(&access.account, &input.operation).await?)
}
