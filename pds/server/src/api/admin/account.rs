//! Accounts as an administrator sees them.

use pds_store::{
    account::{self, Account},
    invite,
};
use pds_syntax::{AtIdentifier, Did};
use serde_json::{Value, json};

use crate::{
    api::invite::views,
    app::App,
    clock,
    xrpc::{Result, XrpcError},
};

/// The account with this DID, in whatever state.
///
/// # Errors
/// 400 `NotFound`.
pub(super) async fn by_did(app: &App, did: &Did) -> Result<Account> {
    let found = account::by_did(&app.db, did).await?.filter(Account::exists);
    found.ok_or_else(|| XrpcError::named("NotFound", "Account not found"))
}

/// The account that this names, in whatever state.
///
/// # Errors
/// 400.
pub(super) async fn find(app: &App, identifier: &AtIdentifier) -> Result<Account> {
    let found = match identifier {
        AtIdentifier::Did(did) => account::by_did(&app.db, did).await?,
        AtIdentifier::Handle(handle) => account::by_handle(&app.db, handle).await?,
    };
    let found = found.filter(Account::exists);
    found.ok_or_else(|| XrpcError::invalid(format!("Account does not exist: {identifier}")))
}

/// `com.atproto.admin.defs#accountView`
pub(super) async fn view(app: &App, account: &Account) -> Result<Value> {
    let mut codes = invite::of_account(&app.db, account.did.as_str()).await?;
    let used = invite::used_by(&app.db, account.id).await?;
    let was_invited = used.is_some();
    codes.extend(used);
    let mut invites = views(&app.db, codes).await?;
    let invited_by = if was_invited { invites.pop() } else { None };
    let (invites_disabled, note) = invite::is_disabled(&app.db, account.id).await?.unwrap_or_default();
    let mut view = json!({
        "did": account.did,
        "handle": account.handle,
        "indexedAt": clock::text(account.created_at),
        "invites": invites,
        "invitesDisabled": invites_disabled,
    });
    let further = [
        ("email", account.email.clone().map(Value::from)),
        ("emailConfirmedAt", account.email_confirmed_at.map(|at| clock::text(at).into())),
        ("deactivatedAt", account.deactivated_at.map(|at| clock::text(at).into())),
        ("invitedBy", invited_by),
        ("inviteNote", note.map(Value::from)),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            view[name] = value;
        }
    }
    Ok(view)
}
