use axum::extract::State;
use data_encoding::BASE32_NOPAD;
use pds_store::invite::{self, Invite};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
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
    let owner = input.for_account.map_or_else(|| "admin".to_owned(), |did| did.to_string());
    let codes = make(&app, 1, input.use_count, &owner).await?;
    Ok(Output(json!({"code": codes[0]})))
}

/// `com.atproto.server.createInviteCodes`
pub async fn create_invite_codes(
    State(app): State<App>,
    Procedure(input): Procedure<CreateInviteCodesInput>,
) -> Result<Output<Value>> {
    check_uses(input.use_count)?;
    let count = input.code_count.unwrap_or(1);
    let owners = match input.for_accounts {
        Some(accounts) => accounts.iter().map(Did::to_string).collect(),
        None => vec!["admin".to_owned()],
    };
    if u64::from(count) * owners.len() as u64 > u64::from(MAX_CODES) {
        return Err(XrpcError::invalid(format!("at most {MAX_CODES} codes in one call")));
    }
    let mut answer = Vec::with_capacity(owners.len());
    for owner in owners {
        let codes = make(&app, count, input.use_count, &owner).await?;
        answer.push(json!({"account": owner, "codes": codes}));
    }
    Ok(Output(json!({"codes": answer})))
}

fn check_uses(count: u32) -> Result<()> {
    match (1..=MAX_USES).contains(&count) {
        true => Ok(()),
        false => Err(XrpcError::invalid(format!("Input/useCount must be between 1 and {MAX_USES}"))),
    }
}

async fn make(app: &App, count: u32, uses: u32, owner: &str) -> Result<Vec<String>> {
    let mut tx = app.db.begin().await?;
    let mut codes = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let invite = Invite {
            code: code(&app.settings.service.hostname),
            available: uses,
            used: 0,
            disabled: false,
            for_account: owner.to_owned(),
            created_by: "admin".to_owned(),
            created_at: app.clock.now_us(),
            expires_at: None,
        };
        invite::create(&mut tx, &invite).await?;
        codes.push(invite.code);
    }
    tx.commit().await?;
    Ok(codes)
}

/// `pds-example-com-abcde-fghij`, as the reference makes them.
fn code(hostname: &str) -> String {
    let random = BASE32_NOPAD.encode(&rand::random::<[u8; 10]>()).to_ascii_lowercase();
    format!("{}-{}-{}", hostname.replace('.', "-"), &random[..5], &random[5..10])
}
