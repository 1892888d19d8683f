//! Applying writes to a repository: conditions are checked against the tree (`plan`), the commit is built, stored, and only then believed.

mod plan;

use std::{collections::HashMap, time::Duration};

use pds_repo::{Action, Cid, CommitDiff, Error as RepoError, Head, MAX_WRITES, Op, Repo, event, record::UNKNOWN_SIZE};
use pds_store::{
    account::{self, Account, Status},
    blob,
    commit::{self, Put, undo_expired},
    repo,
};
use pds_syntax::RepoPath;
use tokio::time::timeout;

pub use self::plan::{Change, Error};
use self::plan::{Plan, plan};
use super::{Actor, SubmitError, load, prepare::Prepared};
use crate::{app::App, clock};

/// How often a write is tried again after another replica was faster.
const ATTEMPTS: u32 = 24;
/// How long a write waits for those before it on the same repository.
const TURN: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The new head; `None` if there was nothing to change.
    pub head: Option<Head>,
}

/// Applies all changes in one commit, or none. Durable when this answers.
///
/// Runs to its end even if the caller goes away: what was submitted may be stored.
pub async fn apply(
    app: &App,
    account: &Account,
    changes: Vec<Change>,
    swap_commit: Option<Cid>,
) -> Result<Outcome, Error> {
    // Before any work is put into it.
    if app.committer.is_full() {
        return Err(Error::Overloaded);
    }
    check_blobs(app, account, &changes).await?;
    let (app, account) = (app.clone(), account.clone());
    let task = tokio::spawn(async move { in_turn(&app, &account, &changes, swap_commit).await });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// A record must say of a blob what is true. As in the reference, a blob that other records refer to already is not looked at again.
///
/// Whether there is such a blob at all is decided by the commit, under the row's lock.
async fn check_blobs(app: &App, account: &Account, changes: &[Change]) -> Result<(), Error> {
    for given in changes.iter().filter_map(Change::record).flat_map(|record| &record.record.blobs) {
        let Some(stored) = blob::get(&app.db, account.id, &given.cid).await? else { continue };
        if stored.state != blob::State::Temporary {
            continue;
        }
        if stored.mime != given.mime_type {
            return Err(Error::BlobType { stored: stored.mime, given: given.mime_type.clone() });
        }
        if given.size != UNKNOWN_SIZE && u64::try_from(given.size) != Ok(stored.size) {
            return Err(Error::BlobSize { stored: stored.size, given: given.size });
        }
    }
    Ok(())
}

async fn in_turn(app: &App, account: &Account, changes: &[Change], swap_commit: Option<Cid>) -> Result<Outcome, Error> {
    let slot = app.actors.slot(account.id).await;
    for attempt in 1..=ATTEMPTS {
        let turn = timeout(TURN, slot.turn.lock()).await.map_err(|_| Error::Overloaded)?;
        let (tip, number) = slot.line().tip();
        let (actor, number) = match tip {
            Some(actor) => (actor, number),
            None => {
                let actor = load(app, account.id, &account.did).await?;
                (actor.clone(), slot.line().draw(actor))
            }
        };
        // Which records are about a subject is asked of the database.
        if subjects(changes).any(|subject| slot.line().subjects.contains(&subject)) {
            timeout(TURN, slot.settled()).await.map_err(|_| Error::Overloaded)?;
            continue;
        }
        app.actors.weigh(account.id, &slot, actor.repo.tree.len()).await;
        let (repo, diff, puts) = match next_commit(app, account, &actor, changes, swap_commit).await {
            Ok(Some(next)) => next,
            // What is in memory may be behind another replica, or built on a commit that is not stored in the end. A commit on it would
            // be refused by the database; what ends without one is only believed of a repository that stands where the database does.
            ended => {
                timeout(TURN, slot.settled()).await.map_err(|_| Error::Overloaded)?;
                let head = repo::root(&app.db, account.id).await?.map(|root| root.head);
                if head == Some(actor.repo.head) {
                    return ended.map(|_| Outcome { head: None });
                }
                slot.line().broken(number);
                continue;
            }
        };
        let commit = prepared(app, account, &actor, &diff, puts);
        let next = Actor { repo, key: actor.key };
        let submitted = app.committer.submit(commit).map_err(|error| match error {
            SubmitError::Overloaded => Error::Overloaded,
            error => Error::Submit(error),
        })?;
        slot.line().extend(number, next.clone(), subjects(changes));
        // The next writer may build on this commit while it is being stored.
        drop(turn);
        let stored = submitted.stored().await;
        match &stored {
            Ok(_) => slot.line().stored(number, next),
            Err(_) => slot.line().broken(number),
        }
        slot.answered.notify_waiters();
        match stored {
            Ok(_) => {
                app.metrics.committed();
                return Ok(Outcome { head: Some(diff.head()) });
            }
            // Two replicas that try again at once would go on losing to each other.
            Err(SubmitError::Stale) => {
                let ms = rand::random_range(0..=1u64 << attempt.min(6));
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Err(SubmitError::Overloaded) => return Err(Error::Overloaded),
            Err(SubmitError::Closed) => {
                let status = account::by_id(&app.db, account.id).await?.map_or(Status::Creating, |now| now.status());
                return Err(Error::Closed { did: account.did.clone(), status });
            }
            // Refused at once, unless the server that imported has died.
            Err(SubmitError::Imported) => {
                if !undo_expired(&app.db, account.id, app.clock.now_us()).await? {
                    return Err(Error::Imported);
                }
            }
            Err(SubmitError::Blob { cid, reason }) => return Err(Error::Blob { cid, reason }),
            Err(error) => return Err(Error::Submit(error)),
        }
    }
    Err(Error::Overloaded)
}

/// The subjects of the records that may take the place of others about the same.
fn subjects(changes: &[Change]) -> impl Iterator<Item = i64> {
    changes.iter().filter_map(Change::record).filter_map(|record| record.subject_hash)
}

/// The commit that the changes make of this state of the repository, with the records to store; `None` if they change nothing.
async fn next_commit(
    app: &App,
    account: &Account,
    actor: &Actor,
    changes: &[Change],
    swap_commit: Option<Cid>,
) -> Result<Option<(Repo, CommitDiff, Vec<Prepared>)>, Error> {
    let current = actor.repo.head.commit;
    if swap_commit.is_some_and(|wanted| wanted != current) {
        return Err(Error::SwapCommit { current });
    }
    let mut most_replaced = MAX_WRITES.saturating_sub(changes.len());
    loop {
        let Plan { writes, puts, replaced } = plan(app, account, actor, changes, most_replaced).await?;
        if writes.is_empty() {
            return Ok(None);
        }
        let rev = app.tids.next_after(app.clock.now_us().unsigned_abs(), actor.repo.head.rev);
        match actor.repo.apply(&writes, rev, &actor.key) {
            // Writes that undo each other.
            Ok((_, diff)) if diff.ops.is_empty() => return Ok(None),
            Ok((repo, diff)) => return Ok(Some((repo, diff, puts))),
            // What is replaced goes along as far as it fits; the rest goes with the next record about the subject.
            Err(RepoError::TooLarge { .. }) if replaced > 0 => most_replaced = replaced / 2,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The commit as the store takes it.
fn prepared(app: &App, account: &Account, actor: &Actor, diff: &CommitDiff, puts: Vec<Prepared>) -> commit::Prepared {
    // Of several writes to one record the last one stays.
    let mut puts: HashMap<RepoPath, Prepared> = puts.into_iter().map(|put| (put.path.clone(), put)).collect();
    let mut put = |path: &RepoPath| {
        let record = puts.remove(path);
        let (body, subject_hash, blobs) = record.map_or_else(Default::default, |record| {
            let blobs = record.record.blobs.iter().map(|blob| blob.cid).collect();
            (record.record.bytes, record.subject_hash, blobs)
        });
        (path.clone(), body, subject_hash, blobs)
    };
    let write = |op: &Op| match (op.action, op.cid) {
        (Action::Create | Action::Update, Some(cid)) => {
            let (path, body, subject_hash, blobs) = put(&op.path);
            let put = Put { path, cid, body, subject_hash, blobs };
            if op.action == Action::Create { commit::Write::Create(put) } else { commit::Write::Update(put) }
        }
        _ => commit::Write::Delete { path: op.path.clone() },
    };
    commit::Prepared {
        account_id: account.id,
        expect_rev: actor.repo.head.rev,
        rev: diff.rev,
        commit: diff.commit,
        data: diff.data,
        commit_bytes: diff.commit_bytes.clone(),
        writes: diff.ops.iter().map(write).collect(),
        frame: event::commit(&account.did, diff, &clock::text(app.clock.now_us())),
    }
}
