//! Ends suspensions whose time has passed, and announces it.

use pds_store::{Db, account};

use crate::moderation;

/// Accounts that are listed at once. The run goes on until there are none.
const PAGE: u32 = 100;

/// Ends the suspensions that are over at `now`, in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn end(db: Db, now: i64) -> anyhow::Result<()> {
    loop {
        let (over, mut ended) = (account::over_suspensions(&db, now, PAGE).await?, false);
        for id in &over {
            ended |= moderation::end_suspension(&db, *id, now).await?;
        }
        if over.len() < PAGE as usize || !ended {
            return Ok(());
        }
    }
}
