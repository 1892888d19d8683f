use axum::extract::State;
use pds_store::invite;
use serde::Deserialize;

use crate::{
    account::invite::ADMIN,
    app::App,
    xrpc::{Procedure, Result, XrpcError},
};

/// Codes and accounts of one call, together.
const MAX_SUBJECTS: usize = 1_000;

/// Input of `com.atproto.admin.disableInviteCodes`.
#[derive(Debug, Deserialize)]
pub struct DisableInviteCodesInput {
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    accounts: Vec<String>,
}

/// `com.atproto.admin.disableInviteCodes`
pub async fn disable_invite_codes(
    State(app): State<App>,
    Procedure(input): Procedure<DisableInviteCodesInput>,
) -> Result<()> {
    let DisableInviteCodesInput { codes, accounts } = input;
    if accounts.iter().any(|account| account == ADMIN) {
        return Err(XrpcError::invalid("cannot disable admin invite codes"));
    }
    let subjects = codes.len() + accounts.len();
    if subjects > MAX_SUBJECTS {
        return Err(XrpcError::invalid(format!(
            "Input must have at most {MAX_SUBJECTS} codes and accounts together, found {subjects}"
        )));
    }
    let mut tx = app.db.begin().await?;
    for code in &codes {
        invite::disable(&mut tx, code).await?;
    }
    for account in &accounts {
        invite::disable_of(&mut tx, account).await?;
    }
    tx.commit().await?;
    tracing::info!(codes = codes.len(), accounts = ?accounts, "an administrator disabled invite codes");
    Ok(())
}
