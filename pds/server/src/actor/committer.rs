//! Makes commits durable: one task per replica stores all commits that arrived while the batch before was being stored
//! ([ADR 1](../../../../docs/adr/0001-one-transaction-per-batch-gapless-events.md)).

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use pds_store::{
    AccountId, Db,
    commit::{BlobRefusal, CommitError, NewCommit, OverQuota, RecordWrite, commit_batch},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};
use tracing::{Instrument, Span};

use super::LOCK_RETRIES;
use crate::{
    clock::Clock,
    report::Failed,
    sequencer::Sequencer,
    trace::{self, SPANS},
};

/// Maximum number of commits in one batch.
const BATCH: usize = 128;
/// Bytes of events after which a batch is full.
const BATCH_BYTES: usize = 1 << 20;
/// References to blobs that are added and removed, after which a batch is full: each takes some microseconds of SQLite's one writer.
const BATCH_REFERENCES: usize = 1_000;
/// Maximum number of commits that wait; more are refused.
const WAITING: usize = 2_048;
/// Maximum wait of a busy replica among several for more commits. Replicas that write at once wait for each other in the database; fewer
/// and larger batches are less work for all of them ([ADR 12](../../../../docs/adr/0012-gathering-among-replicas.md)).
const GATHER: Duration = Duration::from_millis(10);
/// Number of commits in a batch that makes a replica a busy one.
const BUSY: usize = 8;
/// New commits are refused when the batch under way has waited for longer and more than a batch waits behind it.
const DELAY: Duration = Duration::from_millis(250);

/// Why a commit was not stored. Nothing of it is in the database.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Another replica wrote to the repository: load it again.
    #[error("another replica has written to the repository")]
    Stale,
    /// The account is deactivated, suspended or taken down.
    #[error("the repository takes no commits")]
    Closed,
    /// The repository is being imported.
    #[error("the repository is being imported")]
    Imported,
    /// The account has a quota, and its records are not counted: count them.
    #[error("the records of the account are not counted")]
    Uncounted,
    /// The account would have more than its quota.
    #[error("the account has {used} bytes and may have {quota}")]
    OverQuota {
        /// Bytes of its records and blobs.
        used: u64,
        /// How many it may have.
        quota: u64,
    },
    /// A blob that the records refer to cannot be used.
    #[error("blob {cid} cannot be used")]
    Blob {
        /// The blob.
        cid: pds_repo::Cid,
        /// The cause.
        reason: BlobRefusal,
    },
    /// Too many commits wait. It was not taken in.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The database failed; whether the commit exists is unknown until the repository is loaded again.
    #[error("the database failed")]
    Store(#[source] Arc<pds_store::Error>),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

impl SubmitError {
    /// Whether it holds for every commit to the repository.
    fn concerns_repository(&self) -> bool {
        matches!(self, Self::Closed | Self::Imported | Self::Uncounted)
    }
}

type Done = oneshot::Sender<Result<i64, SubmitError>>;

/// A commit that waits to be stored.
struct Job {
    commit: NewCommit,
    /// Number of references to blobs that it adds and removes.
    references: usize,
    done: Done,
    since: Instant,
    span: Span,
}

/// Where commits are passed to be stored. Cheap to clone.
#[derive(Clone)]
pub struct Committer {
    jobs: mpsc::Sender<Job>,
    /// When the first commit of the batch under way was submitted.
    oldest: watch::Receiver<Option<Instant>>,
}

impl Committer {
    /// Starts the task; it ends when the last clone is dropped, and the program with it if it ends before.
    pub fn start(db: Db, sequencer: Sequencer, clock: Arc<dyn Clock>, failed: &Failed) -> Self {
        let (jobs, receiver) = mpsc::channel(WAITING);
        let (taken, oldest) = watch::channel(None);
        failed.supervise("committer", run(Parts { db, sequencer, clock }, receiver, taken));
        Self { jobs, oldest }
    }

    /// Number of commits that wait.
    pub fn waiting(&self) -> usize {
        WAITING - self.jobs.capacity()
    }

    /// Whether new commits are to be refused because they would wait for too long.
    pub fn is_full(&self) -> bool {
        let waiting = self.waiting();
        let late = || self.oldest.borrow().is_some_and(|oldest| oldest.elapsed() > DELAY);
        waiting == WAITING || (waiting > BATCH && late())
    }

    /// Takes a commit in, to be stored after those taken in before. `references` is the number of references to blobs that it adds and removes.
    ///
    /// # Errors
    /// [`SubmitError::Overloaded`] and [`SubmitError::Stopped`]: it was not taken in.
    pub fn submit(&self, commit: NewCommit, references: usize) -> Result<Submitted, SubmitError> {
        let (done, stored) = oneshot::channel();
        let job = Job { commit, references, done, since: Instant::now(), span: trace::current() };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })?;
        Ok(Submitted(stored))
    }
}

/// A commit that was taken in.
#[derive(Debug)]
pub struct Submitted(oneshot::Receiver<Result<i64, SubmitError>>);

impl Submitted {
    /// The number of its event. The commit is durable, and its event visible, when this answers.
    pub async fn stored(self) -> Result<i64, SubmitError> {
        let span = tracing::trace_span!(target: SPANS, "wait for commit");
        self.0.instrument(span).await.unwrap_or(Err(SubmitError::Stopped))
    }
}

/// What storing a batch needs.
struct Parts {
    db: Db,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
}

async fn run(parts: Parts, mut receiver: mpsc::Receiver<Job>, taken: watch::Sender<Option<Instant>>) {
    let mut last = Last::default();
    while let Some(first) = receiver.recv().await {
        taken.send_replace(Some(first.since));
        let is_full = receiver.len() + 1 >= BATCH;
        if last.crowded && !is_full && last.at.is_some_and(|at| at.elapsed() < DELAY) {
            sleep(last.took.min(GATHER)).await;
        }
        let (mut bytes, mut references) = (size(&first.commit), first.references);
        let (mut commits, mut waiting, mut spans) = (vec![first.commit], vec![first.done], vec![first.span]);
        while commits.len() < BATCH && bytes < BATCH_BYTES && references < BATCH_REFERENCES {
            let Ok(job) = receiver.try_recv() else { break };
            bytes += size(&job.commit);
            references += job.references;
            commits.push(job.commit);
            waiting.push(job.done);
            spans.push(job.span);
        }
        let (began, count) = (Instant::now(), commits.len());
        let first_seq = store(&parts, commits, waiting).instrument(batch_span(&spans)).await;
        last = last.then(first_seq, count, began.elapsed());
        taken.send_replace(None);
    }
}

/// Part of the trace of the first commit; the other commits are linked.
fn batch_span(of: &[Span]) -> Span {
    let Some((first, others)) = of.split_first() else { return Span::none() };
    if first.is_none() {
        return Span::none();
    }
    let span = first.in_scope(|| tracing::trace_span!(target: SPANS, "commit batch", commits = of.len()));
    for other in others {
        span.follows_from(other);
    }
    span
}

/// What is known of the batch before.
#[derive(Default)]
struct Last {
    /// The number of the next event if no other replica writes.
    next_seq: Option<i64>,
    took: Duration,
    /// When it ended.
    at: Option<Instant>,
    /// It was a large one, and another replica had written before it.
    crowded: bool,
}

impl Last {
    fn then(&self, first_seq: Option<i64>, count: usize, took: Duration) -> Self {
        let others = self.next_seq.zip(first_seq).is_some_and(|(expected, first)| expected != first);
        let next_seq = first_seq.map(|first| first + i64::try_from(count).unwrap_or(i64::MAX));
        Self { next_seq, took, at: Some(Instant::now()), crowded: others && count >= BUSY }
    }
}

fn size(commit: &NewCommit) -> usize {
    commit.frame.prefix.len() + commit.frame.suffix.len()
}

/// Stores a batch and returns the number of its first event. Commits that cannot be stored are answered and left out, until the rest is
/// stored.
async fn store(parts: &Parts, mut commits: Vec<NewCommit>, mut waiting: Vec<Done>) -> Option<i64> {
    let mut locked_out = 0;
    while !commits.is_empty() {
        let refused: HashMap<AccountId, Refused> = match commit_batch(&parts.db, &commits, parts.clock.now_us()).await {
            Ok(committed) => {
                let frames: Vec<_> = commits.into_iter().map(|commit| commit.frame).collect();
                parts.sequencer.offer(committed.first_seq, frames);
                for (seq, done) in (committed.first_seq..).zip(waiting) {
                    // The writer may have gone; the commit stays.
                    let _ = done.send(Ok(seq));
                }
                return Some(committed.first_seq);
            }
            Err(CommitError::Stale { accounts }) => {
                accounts.into_iter().map(|id| (id, Refused { from: 0, reason: SubmitError::Stale })).collect()
            }
            Err(CommitError::Closed { accounts }) => {
                accounts.into_iter().map(|id| (id, Refused { from: 0, reason: SubmitError::Closed })).collect()
            }
            Err(CommitError::Imported { accounts }) => {
                accounts.into_iter().map(|id| (id, Refused { from: 0, reason: SubmitError::Imported })).collect()
            }
            Err(CommitError::Uncounted { accounts }) => {
                accounts.into_iter().map(|id| (id, Refused { from: 0, reason: SubmitError::Uncounted })).collect()
            }
            Err(CommitError::OverQuota { accounts }) => {
                accounts.iter().map(|over| (over.account_id, over_quota(&commits, over))).collect()
            }
            Err(CommitError::Blobs { refused }) => refused
                .into_iter()
                .map(|blob| {
                    let (id, reason) = (blob.account_id, SubmitError::Blob { cid: blob.cid, reason: blob.reason });
                    let culprit =
                        commits.iter().position(|commit| commit.account_id == id && refers(commit, &blob.cid));
                    (id, Refused { from: culprit.unwrap_or(0), reason })
                })
                .collect(),
            // Nothing was stored. The lock may be held by a replica that the database has lost its connection to.
            Err(CommitError::Store(error)) if error.is_locked_out() && locked_out < LOCK_RETRIES => {
                tracing::warn!(
                    error = crate::report::chain(&error),
                    "a lock in the database was not free in time: the batch of commits is stored again"
                );
                locked_out += 1;
                continue;
            }
            Err(CommitError::Store(error)) => {
                refuse(waiting, &SubmitError::Store(Arc::new(error)));
                return None;
            }
        };
        let before = commits.len();
        let batch: Vec<_> = commits.into_iter().zip(waiting).collect();
        (commits, waiting) = (Vec::with_capacity(before), Vec::with_capacity(before));
        for (at, (commit, done)) in batch.into_iter().enumerate() {
            let answer = match refused.get(&commit.account_id) {
                Some(refused) if at == refused.from || refused.reason.concerns_repository() => refused.reason.clone(),
                // Built on one that is refused.
                Some(refused) if at > refused.from => SubmitError::Stale,
                _ => {
                    commits.push(commit);
                    waiting.push(done);
                    continue;
                }
            };
            let _ = done.send(Err(answer));
        }
        // A refusal that names no commit of the batch would be repeated for ever.
        if commits.len() == before {
            refuse(waiting, &SubmitError::Stale);
            return None;
        }
    }
    None
}

fn refuse(waiting: Vec<Done>, reason: &SubmitError) {
    for done in waiting {
        let _ = done.send(Err(reason.clone()));
    }
}

/// Why a commit of an account is refused.
struct Refused {
    /// Its place in the batch. The commits behind it are built on it.
    from: usize,
    reason: SubmitError,
}

/// The first commit of the account goes alone if there are several, since it may be one that deletes records.
fn over_quota(commits: &[NewCommit], over: &OverQuota) -> Refused {
    let mut own = commits.iter().enumerate().filter(|(_, commit)| commit.account_id == over.account_id);
    match (own.next(), own.next()) {
        (_, Some((second, _))) => Refused { from: second, reason: SubmitError::Stale },
        (first, None) => {
            let reason = SubmitError::OverQuota { used: over.used, quota: over.quota };
            Refused { from: first.map_or(0, |(at, _)| at), reason }
        }
    }
}

fn refers(commit: &NewCommit, blob: &pds_repo::Cid) -> bool {
    commit.writes.iter().any(|write| match write {
        RecordWrite::Create(put) | RecordWrite::Update(put) => put.blobs.contains(blob),
        RecordWrite::Delete { .. } => false,
    })
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Committer({} waiting)", WAITING - self.jobs.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_one_among_several_waits() {
        let took = Duration::from_millis(3);
        let after = |last: &Last, first_seq, count| last.then(Some(first_seq), count, took);
        let first = after(&Last::default(), 100, 20);
        assert!(!first.crowded, "nothing is known of others yet");
        assert!(!after(&first, 120, 20).crowded, "nobody else wrote");
        assert!(after(&first, 150, 20).crowded);
        assert!(!after(&first, 150, 3).crowded, "not busy");
        assert!(!first.then(None, 20, took).crowded, "it failed");
    }
}
