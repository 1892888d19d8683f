//! What is stored last, in one transaction: invite codes, reserved keys, and that the import has ended.

use std::collections::{HashMap, HashSet};

use pds_crypto::SigningKey;
use pds_store::{
    Tx, account, adoption, event,
    invite::{self, Invite},
    reference::{InviteCode, InviteUse},
    reserved_key::{self, NewKey},
};
use pds_syntax::Did;

use super::{Error, Parts, source::micros};
use crate::actor::key;

/// Reserved keys that are taken over. The reference sets no limit.
const RESERVED: u32 = 10_000;
/// How long they stay reserved; microseconds. At the reference they never expire.
const RESERVED_US: i64 = 30 * 24 * 3600 * 1_000_000;

/// What is stored last.
pub(super) struct Ending {
    pub(super) codes: Vec<InviteCode>,
    pub(super) uses: Vec<InviteUse>,
    /// By the names under which they are reserved.
    pub(super) reserved: Vec<(String, Vec<u8>)>,
    /// The highest number of an event.
    pub(super) head: i64,
}

/// Stores it, and notes that the import has ended.
pub(super) async fn store(parts: &Parts, ending: &Ending) -> Result<(), Error> {
    let now = parts.clock.now_us();
    let mut tx = parts.db.begin().await?;
    invites(&mut tx, ending, now).await?;
    for (name, bytes) in &ending.reserved {
        reserve(parts, &mut tx, name, bytes, now).await?;
    }
    event::continue_behind(&mut tx, ending.head).await?;
    adoption::finish(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

async fn invites(tx: &mut Tx, ending: &Ending, now: i64) -> Result<(), Error> {
    let mut used: HashMap<&str, u32> = HashMap::new();
    for one in &ending.uses {
        *used.entry(&one.code).or_default() += 1;
    }
    for code in &ending.codes {
        let used = used.get(code.code.as_str()).copied().unwrap_or_default();
        let available = u32::try_from(code.available).unwrap_or_default();
        let invite = Invite {
            code: code.code.clone(),
            available: available.max(used).max(1),
            used,
            disabled: code.disabled || available == 0,
            for_account: code.for_account.clone(),
            created_by: code.created_by.clone(),
            created_at: micros("time of an invite code", &code.created_at).unwrap_or(now),
            expires_at: None,
        };
        invite::create(tx, &invite).await?;
    }
    let known: HashSet<_> = ending.codes.iter().map(|code| code.code.as_str()).collect();
    for one in &ending.uses {
        // The account may have been deleted since, and the code too.
        let Ok(did) = one.used_by.parse::<Did>() else { continue };
        if known.contains(one.code.as_str())
            && let Some(account) = account::by_did(&mut *tx, &did).await?
        {
            let at = micros("time of a use", &one.used_at).unwrap_or(now);
            adoption::add_invite_use(tx, &one.code, account.id, at).await?;
        }
    }
    Ok(())
}

/// A key that is no key, or has no name, is left out: nobody can move here with it.
async fn reserve(parts: &Parts, tx: &mut Tx, name: &str, bytes: &[u8], now: i64) -> Result<(), Error> {
    let (Ok(key), Ok(name)) = (SigningKey::from_bytes(bytes), name.parse::<Did>()) else { return Ok(()) };
    let (public_key, sealed) = (key.did_key(), key::seal_reserved(&parts.seal, &key)?);
    let did = Some(&name).filter(|did| did.method() != "key");
    let expires_at = now.saturating_add(RESERVED_US);
    let new = NewKey { public_key: &public_key, did, sealed: &sealed, now, expires_at };
    reserved_key::reserve(tx, &new, RESERVED).await?;
    Ok(())
}
