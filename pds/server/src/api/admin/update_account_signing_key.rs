use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;

use super::subject::not_found;
use crate::{
    actor::ChangeKeyError as HeadError,
    app::App,
    identity::ChangeKeyError,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.admin.updateAccountSigningKey`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAccountSigningKeyInput {
    did: Did,
    signing_key: String,
}

/// `com.atproto.admin.updateAccountSigningKey`
///
/// Takes a key that `com.atproto.server.reserveSigningKey` has answered with: a server that does not have the secret key could sign no commit any
/// more.
pub async fn update_account_signing_key(
    State(app): State<App>,
    Procedure(input): Procedure<UpdateAccountSigningKeyInput>,
) -> Result<()> {
    let account = app.accounts.by_did(&input.did).await?.ok_or_else(not_found)?;
    app.identities.change_key(&account, &input.signing_key).await.map_err(|error| match error {
        ChangeKeyError::NotReserved(_) | ChangeKeyError::UnderWay => XrpcError::invalid(error.to_string()),
        ChangeKeyError::Identity(error) => error.into(),
        ChangeKeyError::Store(error) | ChangeKeyError::Head(HeadError::Store(error)) => error.into(),
        ChangeKeyError::Head(HeadError::Busy) => {
            XrpcError::unavailable("The repository is being written to; its key is changed within some minutes", 60)
        }
        error => XrpcError::internal("changing a signing key", &error),
    })
}
