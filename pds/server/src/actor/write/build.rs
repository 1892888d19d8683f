//! The commit that changes come to on one state of a repository. Nothing is stored here.

use std::collections::HashMap;

use pds_repo::{Action, Cid, CommitDiff, Error as RepoError, MAX_WRITES, Op, Repo, Write, event};
use pds_store::{
    AccountId, blob,
    commit::{NewCommit, Put, RecordWrite},
};
use pds_syntax::RepoPath;

use super::{
    Change, Error,
    error::MAX_REFERENCES,
    plan::{Plan, plan},
};
use crate::{
    actor::{Actor, Actors, prepare::PreparedRecord},
    clock,
};

/// A commit that was built and signed.
pub(super) struct Built {
    /// The repository after it.
    pub(super) repo: Repo,
    pub(super) diff: CommitDiff,
    /// The references to blobs that change.
    pub(super) references: References,
    /// Its records.
    records: Vec<PreparedRecord>,
}

/// References to blobs that a commit changes. Of several writes to one path each counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct References {
    /// Those of the records that are written.
    pub(super) added: usize,
    /// Those of the records that are replaced or deleted.
    pub(super) removed: usize,
}

impl References {
    pub(super) fn count(self) -> usize {
        self.added.saturating_add(self.removed)
    }
}

impl Actors {
    /// Builds the commit on `actor`; `None` if the changes change nothing.
    ///
    /// # Errors
    /// A condition of the changes does not hold, or the database failed.
    pub(super) async fn build(
        &self,
        account: AccountId,
        actor: &Actor,
        changes: &[Change],
        swap_commit: Option<Cid>,
    ) -> Result<Option<Built>, Error> {
        let current = actor.repo.head.commit;
        if swap_commit.is_some_and(|wanted| wanted != current) {
            return Err(Error::SwapCommit { current });
        }
        let mut most_replaced = MAX_WRITES.saturating_sub(changes.len());
        loop {
            let Plan { writes, records, replaced } =
                plan(&self.parts().db, account, actor, changes, most_replaced).await?;
            if writes.is_empty() {
                return Ok(None);
            }
            let references = self.references(account, &writes, &records).await?;
            if references.count() > MAX_REFERENCES && writes.len() > 1 {
                if replaced == 0 {
                    return Err(Error::TooManyReferences { count: references.count() });
                }
                most_replaced = replaced / 2;
                continue;
            }
            let rev = self.next_rev(self.now_us(), actor.repo.head.rev);
            match actor.repo.apply(&writes, rev, &actor.key) {
                // Writes that undo each other.
                Ok((_, diff)) if diff.ops.is_empty() => return Ok(None),
                Ok((repo, diff)) => return Ok(Some(Built { repo, diff, references, records })),
                // As many records are replaced as fit; the others are replaced with the next record about the subject.
                Err(RepoError::TooLarge { .. }) if replaced > 0 => most_replaced = replaced / 2,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn references(
        &self,
        account: AccountId,
        writes: &[Write],
        records: &[PreparedRecord],
    ) -> Result<References, Error> {
        let added = records.iter().map(|record| record.blobs().len()).sum();
        let replaced: Vec<_> = writes
            .iter()
            .filter_map(|write| match write {
                Write::Create { .. } => None,
                Write::Update { path, .. } | Write::Delete { path } => Some(path),
            })
            .collect();
        let removed = match &*replaced {
            [] => 0,
            paths => blob::referred_by(&self.parts().db, account, paths.iter().copied()).await?,
        };
        Ok(References { added, removed: usize::try_from(removed).unwrap_or(usize::MAX) })
    }
}

impl Built {
    /// The commit as it is stored, and the repository after it. `base` is what it was built on; the account has `quota`, in bytes.
    pub(super) fn into_commit(
        self,
        account: AccountId,
        base: Actor,
        now_us: i64,
        quota: Option<u64>,
    ) -> (NewCommit, Actor, CommitDiff) {
        let Self { repo, diff, records, references: _ } = self;
        // Of several writes to one path the last one stays.
        let mut records: HashMap<RepoPath, PreparedRecord> =
            records.into_iter().map(|record| (record.path.clone(), record)).collect();
        let writes = diff.ops.iter().map(|op| record_write(op, &mut records)).collect();
        let commit = NewCommit {
            account_id: account,
            expect_rev: base.repo.head.rev,
            rev: diff.rev,
            commit: diff.commit,
            data: diff.data,
            commit_bytes: diff.commit_bytes.clone(),
            writes,
            frame: event::commit(&repo.did, &diff, &clock::text(now_us)),
            quota,
        };
        (commit, Actor { repo, key: base.key }, diff)
    }
}

fn record_write(op: &Op, records: &mut HashMap<RepoPath, PreparedRecord>) -> RecordWrite {
    let (Action::Create | Action::Update, Some(cid)) = (op.action, op.cid) else {
        return RecordWrite::Delete { path: op.path.clone() };
    };
    let (body, subject_hash, blobs) = records.remove(&op.path).map_or_else(Default::default, |record| {
        let blobs = record.blobs().into_iter().collect();
        (record.record.bytes, record.subject_hash, blobs)
    });
    let put = Put { path: op.path.clone(), cid, body, subject_hash, blobs };
    if op.action == Action::Create { RecordWrite::Create(put) } else { RecordWrite::Update(put) }
}
