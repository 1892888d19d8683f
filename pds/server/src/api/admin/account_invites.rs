//! Whether an account may make invite codes.

use axum::extract::State;
use pds_store::{account, invite};
use pds_syntax::Did;
use serde::Deserialize;

use super::account::by_did;
use crate::{
    app::App,
    xrpc::{Procedure, Result, XrpcError},
};

/// Characters of a note.
const MAX_NOTE_CHARS: usize = 3_000;

/// Input of `com.atproto.admin.disableAccountInvites` and `com.atproto.admin.enableAccountInvites`.
#[derive(Debug, Deserialize)]
pub struct AccountInvitesInput {
    account: Did,
    note: Option<String>,
}

/// `com.atproto.admin.disableAccountInvites`
pub async fn disable_account_invites(State(app): State<App>, input: Procedure<AccountInvitesInput>) -> Result<()> {
    set(&app, input, true).await
}

/// `com.atproto.admin.enableAccountInvites`
pub async fn enable_account_invites(State(app): State<App>, input: Procedure<AccountInvitesInput>) -> Result<()> {
    set(&app, input, false).await
}

async fn set(app: &App, Procedure(input): Procedure<AccountInvitesInput>, disabled: bool) -> Result<()> {
    let AccountInvitesInput { account: did, note } = input;
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        return Err(XrpcError::invalid(format!("Input/note must have at most {MAX_NOTE_CHARS} characters")));
    }
    let account = by_did(app, &did).await?;
    let mut tx = app.db.begin().await?;
    account::lock(&mut tx, account.id).await?;
    invite::set_disabled(&mut tx, account.id, disabled, note.as_deref()).await?;
    tx.commit().await?;
    tracing::info!(account.did = %did, disabled, "an administrator changed whether {did} may make invite codes");
    Ok(())
}
