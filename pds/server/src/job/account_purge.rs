//! Deletes deactivated accounts whose owners set a date for it, and removes the data of deleted accounts whose grace period is over.

use std::time::Duration;

use pds_store::{Db, account};

use crate::{account::deletion, blob::Blobs};

/// Accounts of one run. Those that are left are for the next.
const PAGE: u32 = 100;

/// Does what is due at `now`, in microseconds. A run that was interrupted is continued by the next one. `grace` is the time between deletion and
/// purge.
///
/// # Errors
/// When the database or the blob store fails.
pub async fn run(db: Db, blobs: Blobs, grace: Duration, now: i64) -> anyhow::Result<()> {
    for (id, did) in account::due_for_deletion(&db, now, PAGE).await? {
        let mut tx = db.begin().await?;
        // Its owner may have activated it again a moment ago.
        let account = account::lock(&mut tx, id).await?;
        let due = account.filter(|account| account.deactivated_at.is_some() && account.delete_after <= Some(now));
        if let Some(account) = due.filter(|account| account.delete_after.is_some())
            && deletion::delete(&mut tx, &account, now, grace).await?
        {
            tx.commit().await?;
            tracing::info!(account.did = %did, "deleted {did}, as its owner had asked for by this date");
        }
    }
    let mut purged = false;
    for deleted in account::purgeable(&db, now, PAGE).await? {
        deletion::purge(&db, &deleted, now).await?;
        tracing::info!(account.did = %deleted.did, "removed the data of the deleted account {}", deleted.did);
        purged = true;
    }
    if purged {
        blobs.sweep().await?;
    }
    Ok(())
}
