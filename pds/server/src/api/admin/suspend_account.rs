use axum::extract::State;
use pds_store::account::Suspension;
use pds_syntax::{Datetime, Did};
use serde::Deserialize;
use serde_json::{Value, json};

use super::subject::not_found;
use crate::{
    api::future,
    app::App,
    clock,
    moderation::{self, AccountChange, Suspend},
    xrpc::{Output, Procedure, Result},
};

/// Input of `dev.auroralocus.admin.suspendAccount`.
#[derive(Debug, Deserialize)]
pub struct SuspendAccountInput {
    did: Did,
    until: Datetime,
    reason: Option<String>,
}

/// `dev.auroralocus.admin.suspendAccount`
///
/// Sessions stay: the owner reads and exports the account. A suspension replaces the one before.
pub async fn suspend_account(
    State(app): State<App>,
    Procedure(input): Procedure<SuspendAccountInput>,
) -> Result<Output<Value>> {
    let (now, SuspendAccountInput { did, until, reason }) = (app.clock.now_us(), input);
    let until = future("Input/until", &until, now)?;
    let suspension = Some(Suspend::Until(Suspension { until, reason }));
    let change = AccountChange { suspension, ..AccountChange::default() };
    if !moderation::change_account(&app.db, &did, &change, now).await? {
        return Err(not_found());
    }
    let until = clock::text(until);
    tracing::info!(account.did = %did, until, "an administrator suspended the account {did} until {until}");
    Ok(Output(json!({"did": did, "until": until})))
}

/// Input of `dev.auroralocus.admin.unsuspendAccount`.
#[derive(Debug, Deserialize)]
pub struct UnsuspendAccountInput {
    did: Did,
}

/// `dev.auroralocus.admin.unsuspendAccount`
pub async fn unsuspend_account(
    State(app): State<App>,
    Procedure(input): Procedure<UnsuspendAccountInput>,
) -> Result<()> {
    let UnsuspendAccountInput { did } = input;
    let change = AccountChange { suspension: Some(Suspend::Ended), ..AccountChange::default() };
    if !moderation::change_account(&app.db, &did, &change, app.clock.now_us()).await? {
        return Err(not_found());
    }
    tracing::info!(account.did = %did, "an administrator ended the suspension of the account {did}");
    Ok(())
}
