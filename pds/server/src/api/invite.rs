//! Invite codes: what the methods share that make and list them.

use pds_store::{
    Db,
    invite::{self, Invite},
};
use pds_syntax::Did;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    account::invite::ADMIN,
    app::App,
    clock,
    xrpc::{Result, XrpcError},
};

/// Codes that one call may make.
const MAX_CODES: u32 = 1_000;
/// Uses of one code; the database counts no further.
const MAX_USES: u32 = i32::MAX as u32;

/// Codes that are to be made.
#[derive(Debug)]
pub(super) struct Wanted {
    /// For each account.
    pub(super) count: u32,
    /// How many accounts each makes.
    pub(super) uses: u32,
    /// Accounts that own the codes. `None`: the codes belong to the host.
    pub(super) accounts: Option<Vec<Did>>,
    /// When they expire; microseconds.
    pub(super) expires_at: Option<i64>,
}

/// Codes of one owner, as `com.atproto.server.createInviteCodes#accountCodes`.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    account: String,
    pub(super) codes: Vec<String>,
}

/// Makes invite codes: all, or none.
///
/// # Errors
/// The answer to the client.
pub(super) async fn make(app: &App, wanted: &Wanted) -> Result<Vec<Made>> {
    let Wanted { count, uses, accounts, expires_at } = wanted;
    if !(1..=MAX_USES).contains(uses) {
        return Err(XrpcError::invalid(format!("Input/useCount must be between 1 and {MAX_USES}")));
    }
    let owners = match accounts {
        Some(accounts) => accounts.iter().map(Did::to_string).collect::<Vec<_>>(),
        None => vec![ADMIN.to_owned()],
    };
    if u64::from(*count) * owners.len() as u64 > u64::from(MAX_CODES) {
        return Err(XrpcError::invalid(format!("at most {MAX_CODES} codes in one call")));
    }
    let made = app.invites.make(&owners, *count, *uses, *expires_at).await?;
    Ok(owners.into_iter().zip(made).map(|(account, codes)| Made { account, codes }).collect())
}

/// These codes with their uses, as `com.atproto.server.defs#inviteCode`.
///
/// # Errors
/// When the database fails.
pub(super) async fn views(db: &Db, invites: Vec<Invite>) -> pds_store::Result<Vec<Value>> {
    views_with(db, invites, |_, view| view).await
}

/// The same with the times at which they expire, as `dev.auroralocus.admin.defs#inviteCode`.
///
/// # Errors
/// When the database fails.
pub(super) async fn views_with_ends(db: &Db, invites: Vec<Invite>) -> pds_store::Result<Vec<Value>> {
    let with_end = |invite: &Invite, mut view: Value| {
        if let Some(end) = invite.expires_at {
            view["expiresAt"] = clock::text(end).into();
        }
        view
    };
    views_with(db, invites, with_end).await
}

async fn views_with(
    db: &Db,
    invites: Vec<Invite>,
    more: impl Fn(&Invite, Value) -> Value,
) -> pds_store::Result<Vec<Value>> {
    let codes: Vec<_> = invites.iter().map(|invite| invite.code.as_str()).collect();
    let uses = invite::uses(db, &codes).await?;
    let view = |invite: Invite| {
        let uses = uses.get(&invite.code).into_iter().flatten();
        let uses: Vec<_> = uses.map(|one| json!({"usedBy": one.used_by, "usedAt": clock::text(one.used_at)})).collect();
        let view = json!({
            "code": invite.code,
            "available": invite.available,
            "disabled": invite.disabled,
            "forAccount": invite.for_account,
            "createdBy": invite.created_by,
            "createdAt": clock::text(invite.created_at),
            "uses": uses,
        });
        more(&invite, view)
    };
    Ok(invites.into_iter().map(view).collect())
}
