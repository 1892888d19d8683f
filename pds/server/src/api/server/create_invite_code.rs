use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::invite::ADMIN,
    app::App,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Codes that one call may make.
const MAX_CODES: u32 = 1_000;
/// Uses of one code; the database counts no further.
const MAX_USES: u32 = i32::MAX as u32;

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
    check_uses(input.use_count)?;
    let owner = input.for_account.map_or_else(|| ADMIN.to_owned(), |did| did.to_string());
    let codes = app.invites.make(&[owner], 1, input.use_count, None).await?;
    Ok(Output(json!({"code": codes[0][0]})))
}

/// `com.atproto.server.createInviteCodes`
pub async fn create_invite_codes(
    State(app): State<App>,
    Procedure(input): Procedure<CreateInviteCodesInput>,
) -> Result<Output<Value>> {
    check_uses(input.use_count)?;
    let count = input.code_count.unwrap_or(1);
    let owners = match input.for_accounts {
        Some(accounts) => accounts.iter().map(Did::to_string).collect::<Vec<_>>(),
        None => vec![ADMIN.to_owned()],
    };
    if u64::from(count) * owners.len() as u64 > u64::from(MAX_CODES) {
        return Err(XrpcError::invalid(format!("at most {MAX_CODES} codes in one call")));
    }
    let made = app.invites.make(&owners, count, input.use_count, None).await?;
    let codes: Vec<_> =
        owners.iter().zip(made).map(|(owner, codes)| json!({"account": owner, "codes": codes})).collect();
    Ok(Output(json!({"codes": codes})))
}

fn check_uses(count: u32) -> Result<()> {
    match (1..=MAX_USES).contains(&count) {
        true => Ok(()),
        false => Err(XrpcError::invalid(format!("Input/useCount must be between 1 and {MAX_USES}"))),
    }
}
