//! Why the heads of repositories could not be moved.

use super::{CommitError, Net, OverQuota};
use crate::{AccountId, Db, Error, repo, source::on, usage};

/// The error for repositories whose heads could not be moved: some are closed more than `most_closed`, or are being imported, or all have
/// other heads than expected.
pub(super) async fn why_not_moved(db: &Db, accounts: Vec<AccountId>, most_closed: i16) -> Result<CommitError, Error> {
    const STATE: &str = "select closed, import_token is not null from repo where account_id = $1";
    let (mut closed, mut imported) = (Vec::new(), Vec::new());
    for id in &accounts {
        let row: Option<(i16, bool)> = on!(db, conn => sqlx::query_as(STATE).bind(id.0).fetch_optional(conn))
            .map_err(Error::during("read head of account", id))?;
        match row {
            Some((state, _)) if state > most_closed => closed.push(*id),
            Some((_, true)) => imported.push(*id),
            _ => {}
        }
    }
    Ok(match (closed.is_empty(), imported.is_empty()) {
        (false, _) => CommitError::Closed { accounts: closed },
        (_, false) => CommitError::Imported { accounts: imported },
        _ => CommitError::Stale { accounts },
    })
}

/// The same for repositories that take commits and may have moved: some have records that are not counted, or are beyond the quotas of their
/// accounts, or all have other heads than expected.
pub(super) async fn why_not_grown(db: &Db, nets: &[Net<'_>], accounts: Vec<AccountId>) -> Result<CommitError, Error> {
    let (mut uncounted, mut over) = (Vec::new(), Vec::new());
    for net in nets {
        let id = net.account_id();
        let Some(quota) = net.last.quota.filter(|_| accounts.contains(&id)) else { continue };
        if repo::rev(db, id).await? != Some(net.expect_rev) {
            continue;
        }
        let usage = usage::get(db, id).await?;
        match usage.records {
            None => uncounted.push(id),
            Some(_) => over.push(OverQuota { account_id: id, used: usage.bytes(), quota }),
        }
    }
    Ok(match (uncounted.is_empty(), over.is_empty()) {
        (false, _) => CommitError::Uncounted { accounts: uncounted },
        (_, false) => CommitError::OverQuota { accounts: over },
        _ => CommitError::Stale { accounts },
    })
}
