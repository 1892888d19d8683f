use axum::extract::State;
use pds_syntax::{Datetime, Did};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{
        future,
        invite::{Wanted, make},
    },
    app::App,
    clock,
    xrpc::{Output, Procedure, Result},
};

/// Input of `dev.auroralocus.admin.createInviteCodes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateInviteCodesInput {
    code_count: u32,
    use_count: u32,
    for_accounts: Option<Vec<Did>>,
    expires_at: Datetime,
}

/// `dev.auroralocus.admin.createInviteCodes`
///
/// The protocol's own method knows no end.
pub async fn create_invite_codes(
    State(app): State<App>,
    Procedure(input): Procedure<CreateInviteCodesInput>,
) -> Result<Output<Value>> {
    let CreateInviteCodesInput { code_count: count, use_count: uses, for_accounts: accounts, expires_at } = input;
    let end = future("Input/expiresAt", &expires_at, app.clock.now_us())?;
    let made = make(&app, &Wanted { count, uses, accounts, expires_at: Some(end) }).await?;
    Ok(Output(json!({"codes": made, "expiresAt": clock::text(end)})))
}
