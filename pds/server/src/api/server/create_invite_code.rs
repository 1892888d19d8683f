use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::invite::{Wanted, make},
    app::App,
    xrpc::{Output, Procedure, Result},
};

/// Input of `com.atproto.server.createInviteCode`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateInviteCodeInput {
    use_count: u32,
    for_account: Option<Did>,
}

/// Input of `com.atproto.server.createInviteCodes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateInviteCodesInput {
    code_count: Option<u32>,
    use_count: u32,
    for_accounts: Option<Vec<Did>>,
}

/// `com.atproto.server.createInviteCode`
pub async fn create_invite_code(
    State(app): State<App>,
    Procedure(input): Procedure<CreateInviteCodeInput>,
) -> Result<Output<Value>> {
    let CreateInviteCodeInput { use_count: uses, for_account } = input;
    let accounts = for_account.map(|did| vec![did]);
    let made = make(&app, &Wanted { count: 1, uses, accounts, expires_at: None }).await?;
    Ok(Output(json!({"code": made[0].codes[0]})))
}

/// `com.atproto.server.createInviteCodes`
pub async fn create_invite_codes(
    State(app): State<App>,
    Procedure(input): Procedure<CreateInviteCodesInput>,
) -> Result<Output<Value>> {
    let CreateInviteCodesInput { code_count, use_count: uses, for_accounts: accounts } = input;
    let wanted = Wanted { count: code_count.unwrap_or(1), uses, accounts, expires_at: None };
    Ok(Output(json!({"codes": make(&app, &wanted).await?})))
}
