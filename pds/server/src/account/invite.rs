//! Invite codes: making them, and how many an account may make itself.

use std::{fmt, sync::Arc, time::Duration};

use data_encoding::BASE32_NOPAD;
use pds_store::{
    Db,
    account::{self, Account},
    invite::{self, Invite, Routine},
};

use crate::clock::Clock;

/// Owner and maker of the codes that belong to no account.
pub const ADMIN: &str = "admin";
/// Usable codes of one account that it made itself.
const MAX_OPEN: u64 = 5;

/// The invite codes of this host. Cheap to clone.
#[derive(Clone)]
pub struct Invites(Arc<Parts>);

/// What invite codes are made with.
pub struct Parts {
    /// Codes and accounts.
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    /// A code begins with it.
    pub hostname: String,
    /// The codes that accounts may make, if they make any.
    pub rules: pds_config::Invites,
}

impl Invites {
    /// The invite codes in this database.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes `count` codes for an owner: a DID, or [`ADMIN`]. `expires_at` is in microseconds.
    ///
    /// # Errors
    /// When the database fails; there is no code then.
    pub async fn make(
        &self,
        owners: &[String],
        count: u32,
        uses: u32,
        expires_at: Option<i64>,
    ) -> pds_store::Result<Vec<Vec<String>>> {
        let mut tx = self.0.db.begin().await?;
        let mut made = Vec::with_capacity(owners.len());
        for owner in owners {
            let mut codes = Vec::with_capacity(count as usize);
            for _ in 0..count {
                let invite = Invite { available: uses, expires_at, ..self.0.new_code(owner, ADMIN) };
                invite::create(&mut tx, &invite).await?;
                codes.push(invite.code);
            }
            made.push(codes);
        }
        tx.commit().await?;
        Ok(made)
    }

    /// Makes the codes that an account has earned since it last did so. Of two calls at once, the second finds the codes of the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_earned(&self, account: &Account) -> pds_store::Result<()> {
        let Some(interval) = self.0.rules.interval else { return Ok(()) };
        let (now, epoch) = (self.0.clock.now_us(), micros(self.0.rules.epoch));
        let did = account.did.as_str();
        // Most calls make nothing, and take no lock.
        let may_make = |routine| earned(account.created_at, now, epoch, interval, routine);
        if may_make(invite::routine(&self.0.db, did, epoch).await?) == 0 {
            return Ok(());
        }
        let mut tx = self.0.db.begin().await?;
        account::lock(&mut tx, account.id).await?;
        let disabled = invite::is_disabled(&mut tx, account.id).await?.is_none_or(|(disabled, _)| disabled);
        for _ in 0..may_make(invite::routine(&mut tx, did, epoch).await?) {
            // For the record, also if the account may not use them.
            let invite = Invite { disabled, ..self.0.new_code(did, did) };
            invite::create(&mut tx, &invite).await?;
        }
        tx.commit().await
    }
}

impl Parts {
    /// A code for one use.
    fn new_code(&self, owner: &str, maker: &str) -> Invite {
        Invite {
            code: code(&self.hostname),
            available: 1,
            used: 0,
            disabled: false,
            for_account: owner.to_owned(),
            created_by: maker.to_owned(),
            created_at: self.clock.now_us(),
            expires_at: None,
        }
    }
}

/// How many codes an account that was made at `created_at` may make now: one for each whole interval of its life that ended after the epoch,
/// less those that it made since the epoch, and only so many that at most five can be used. Times are in microseconds.
fn earned(created_at: i64, now: i64, epoch: i64, interval: Duration, routine: Routine) -> u64 {
    let intervals = |from: i64, to: i64| {
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
        u64::try_from(to.saturating_sub(from)).unwrap_or_default() / interval
    };
    let whole = intervals(created_at, now) - intervals(created_at, epoch.min(now));
    let earned = whole.saturating_sub(u64::from(routine.since_epoch));
    earned.min(MAX_OPEN.saturating_sub(u64::from(routine.open)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// `pds-example-com-abcde-fghij`, as the reference makes them.
fn code(hostname: &str) -> String {
    let random = BASE32_NOPAD.encode(&rand::random::<[u8; 10]>()).to_ascii_lowercase();
    format!("{}-{}-{}", hostname.replace('.', "-"), &random[..5], &random[5..10])
}

impl fmt::Debug for Invites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invites")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn days(created: i64, now: i64, epoch: i64, open: u32, since_epoch: u32) -> u64 {
        let interval = Duration::from_secs(24 * 60 * 60);
        earned(created * DAY, now * DAY, epoch * DAY, interval, Routine { open, since_epoch })
    }

    #[test]
    fn a_code_is_earned_for_each_interval_and_at_most_five_are_open() {
        assert_eq!(days(100, 100, 0, 0, 0), 0);
        assert_eq!(days(100, 103, 0, 0, 0), 3);
        assert_eq!(days(100, 103, 0, 1, 2), 1);
        assert_eq!(days(100, 103, 0, 0, 3), 0);
        assert_eq!(days(100, 103, 0, 0, 9), 0);
        assert_eq!(days(100, 200, 0, 0, 0), 5);
        assert_eq!(days(100, 200, 0, 3, 3), 2);
        assert_eq!(days(100, 200, 0, 5, 5), 0);
        assert_eq!(days(100, 200, 0, 7, 7), 0);
    }

    #[test]
    fn intervals_before_the_epoch_earn_nothing() {
        assert_eq!(days(100, 103, 102, 0, 0), 1);
        assert_eq!(days(100, 103, 103, 0, 0), 0);
        // Not begun yet.
        assert_eq!(days(100, 103, 200, 0, 0), 0);
        // A clock that was set back.
        assert_eq!(days(100, 99, 0, 0, 0), 0);
    }
}
