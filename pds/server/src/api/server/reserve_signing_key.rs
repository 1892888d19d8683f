use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    xrpc::{Output, Procedure, Result},
};

/// Input of `com.atproto.server.reserveSigningKey`.
#[derive(Debug, Deserialize)]
pub struct ReserveSigningKeyInput {
    did: Option<Did>,
}

/// `com.atproto.server.reserveSigningKey`
///
/// The key of an account that is to move here, so that its document can name the key before the account is made. Without a DID, a key for
/// `com.atproto.admin.updateAccountSigningKey`. Reserved for 48 hours.
pub async fn reserve_signing_key(
    State(app): State<App>,
    Procedure(input): Procedure<ReserveSigningKeyInput>,
) -> Result<Output<Value>> {
    let key = app.identities.reserve_key(input.did.as_ref()).await?;
    Ok(Output(json!({"signingKey": key})))
}
