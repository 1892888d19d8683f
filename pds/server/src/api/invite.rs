//! Invite codes in answers.

use pds_store::{
    Db,
    invite::{self, Invite},
};
use serde_json::{Value, json};

use crate::clock;

/// These codes with their uses, as `com.atproto.server.defs#inviteCode`.
///
/// # Errors
/// When the database fails.
pub(super) async fn views(db: &Db, invites: Vec<Invite>) -> pds_store::Result<Vec<Value>> {
    let codes: Vec<_> = invites.iter().map(|invite| invite.code.as_str()).collect();
    let uses = invite::uses(db, &codes).await?;
    let view = |invite: Invite| {
        let uses = uses.get(&invite.code).into_iter().flatten();
        let uses: Vec<_> = uses.map(|one| json!({"usedBy": one.used_by, "usedAt": clock::text(one.used_at)})).collect();
        json!({
            "code": invite.code,
            "available": invite.available,
            "disabled": invite.disabled,
            "forAccount": invite.for_account,
            "createdBy": invite.created_by,
            "createdAt": clock::text(invite.created_at),
            "uses": uses,
        })
    };
    Ok(invites.into_iter().map(view).collect())
}
