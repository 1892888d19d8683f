use axum::extract::State;
use pds_store::invite;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::invite::views,
    app::App,
    auth::Access,
    xrpc::{Output, Query, Result},
};

/// Parameters of `com.atproto.server.getAccountInviteCodes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAccountInviteCodesParams {
    include_used: bool,
    create_available: bool,
}

/// `com.atproto.server.getAccountInviteCodes`
///
/// Unlike in the reference, two calls at once do not fail with `DuplicateCreate`: the second waits for the codes of the first.
pub async fn get_account_invite_codes(
    State(app): State<App>,
    access: Access,
    Query(params): Query<GetAccountInviteCodesParams>,
) -> Result<Output<Value>> {
    let account = &access.account;
    if params.create_available && app.settings.invite_required {
        app.invites.make_earned(account).await?;
    }
    let mut codes = invite::of_account(&app.db, account.did.as_str()).await?;
    let now = app.clock.now_us();
    codes.retain(|invite| {
        let is_open = invite.used < invite.available && !invite.is_expired(now);
        !invite.disabled && (is_open || params.include_used && invite.used > 0)
    });
    Ok(Output(json!({"codes": views(&app.db, codes).await?})))
}
