//! A whole repository from a CAR file, in place of the one that is there.
//!
//! The file goes into a temporary one while it comes (`spool`) and is checked from its commit to its last record (`content`). What differs
//! from the repository in the database is then stored in one transaction: all of it, or nothing.

mod content;
mod spool;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use pds_repo::{Head, Repo, commit as signed, event};
use pds_store::{
    account::{self, Account, Status},
    blob,
    commit::{CommitError, Import, Prepared},
};
use pds_syntax::Tid;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use self::content::Content;
pub use self::content::{Invalid, Note, Noted, Report};
use super::{Actor, LoadError, load};
use crate::{app::App, clock, report::chain};

/// Imports at once: each has its index and its tree in memory.
const AT_ONCE: usize = 3;
/// How often an import is tried again after another replica wrote to the repository.
const ATTEMPTS: usize = 5;
/// How long an import waits for the writers before it.
const TURN: Duration = Duration::from_secs(30);
/// How far a revision may be ahead of the clock. Source: <https://atproto.com/specs/repository#commit-objects>.
const AHEAD_US: u64 = 5 * 60 * 1_000_000;

/// How many imports may run.
#[derive(Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many run already, or one of this account.
    #[error("Too many imports are running")]
    Busy,
    /// Above the host's limit.
    #[error("The repository is too large: the file may have {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The client went away, or sent nothing for too long.
    #[error("The upload broke off")]
    Broken,
    /// The file is not this account's repository.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The host took the account down meanwhile.
    #[error("the account is taken down")]
    TakenDown,
    /// Others write to the repository without a pause.
    #[error("Too many writes are waiting")]
    Overloaded,
    /// The temporary file failed.
    #[error("keep the file")]
    Disk(#[from] io::Error),
    /// The repository could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl From<pds_repo::mst::Error> for Error {
    fn from(error: pds_repo::mst::Error) -> Self {
        Self::Invalid(Invalid::Tree(error))
    }
}

/// Puts the repository in the file `body` in the place of the account's. Durable when this answers; the report names the records that
/// are not as they should be.
///
/// Once the file was read it runs to its end even if the caller goes away.
pub async fn import<E>(
    app: &App,
    account: &Account,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Report, Error> {
    // One of each account: nobody can take all turns by sending slowly.
    let own = app.actors.slot(account.id).await.importing.clone();
    let own = own.try_lock_owned().map_err(|_| Error::Busy)?;
    let turn = app.actors.imports.0.clone().try_acquire_owned().map_err(|_| Error::Busy)?;
    let (spool, root) = spool::receive(body, app.settings.import.max_bytes).await?;
    let (app, account) = (app.clone(), account.clone());
    let task = tokio::spawn(async move {
        let did = account.did.clone();
        let content = Arc::new(blocking(move || Content::read(spool, &root, &did)).await?);
        let imported = in_turn(&app, &account, &content).await;
        drop((turn, own));
        imported.map(|()| tell(&account, &content.report))
    });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Nothing that somebody brings is lost in silence.
fn tell(account: &Account, report: &Report) -> Report {
    for (noted, what) in [(&report.kept, "kept records that are outside the data model"), (&report.left_out, "left out records")] {
        if let Some(Note { path, reason, .. }) = noted.first.first() {
            let (did, count) = (&account.did, noted.count);
            tracing::warn!(repo.did = %did, count, path, reason, "an import of {did} {what}: {count}, the first is {path}: {reason}");
        }
    }
    report.clone()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn in_turn(app: &App, account: &Account, content: &Arc<Content>) -> Result<(), Error> {
    let slot = app.actors.slot(account.id).await;
    for _ in 0..ATTEMPTS {
        let turn = timeout(TURN, slot.turn.lock()).await.map_err(|_| Error::Overloaded)?;
        timeout(TURN, slot.settled()).await.map_err(|_| Error::Overloaded)?;
        let actor = load(app, account.id, &account.did).await?;
        let number = slot.line().draw(actor.clone());
        if actor.repo.head.data == content.tree.root() {
            return Ok(());
        }
        match store(app, account, &actor, content).await {
            Ok(head) => {
                let repo = Repo { did: account.did.clone(), head, tree: content.tree.clone() };
                slot.line().draw(Actor { repo, key: actor.key });
                drop(turn);
                app.metrics.committed();
                let (did, records) = (&account.did, content.tree.len());
                tracing::info!(repo.did = %did, records, "imported the repository of {did}");
                app.actors.weigh(account.id, &slot, content.tree.len()).await;
                // The import is durable. A blob that this leaves temporary is swept, and then listed as missing.
                if let Err(error) = blob::adopt(&app.db, account.id).await {
                    tracing::warn!(repo.did = %did, error = chain(&error), "blobs may have to be uploaded again");
                }
                return Ok(());
            }
            Err(Stopped::Stale) => slot.line().broken(number),
            Err(Stopped::Failed(error)) => {
                slot.line().broken(number);
                return Err(error);
            }
        }
    }
    Err(Error::Overloaded)
}

enum Stopped {
    /// Another replica was faster.
    Stale,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes the repository that `actor` is in the database the one of the file.
///
/// The reference keeps the commit of the file, which the former host signed with a key that the DID document will not name any more. Here
/// the head is a commit of our own over the same root, so that whoever asks can always verify it.
async fn store(app: &App, account: &Account, actor: &Actor, content: &Arc<Content>) -> Result<Head, Stopped> {
    let status = account::by_id(&app.db, account.id).await?.map(|account| account.status());
    if status == Some(Status::TakenDown) {
        return Err(Error::TakenDown.into());
    }
    let (theirs, before) = (content.clone(), actor.repo.tree.clone());
    let portions = blocking(move || theirs.portions(&before)).await?;

    let (now, data) = (app.clock.now_us(), content.tree.root());
    let rev = app.tids.next_after(now.unsigned_abs(), floor(actor.repo.head.rev, content.rev, now));
    let commit = signed::sign(&account.did, rev, &data, &actor.key);
    let prepared = Prepared {
        account_id: account.id,
        expect_rev: actor.repo.head.rev,
        rev,
        commit: commit.cid,
        data,
        commit_bytes: commit.bytes.clone(),
        writes: Vec::new(),
        // No #commit could hold so many operations.
        frame: event::sync(&account.did, rev, &commit.cid, &commit.bytes, &clock::text(now)),
    };
    let mut import = Import::begin(&app.db, prepared, now).await.map_err(|error| match error {
        CommitError::Stale { .. } | CommitError::Blobs { .. } => Stopped::Stale,
        CommitError::Closed { .. } => Error::TakenDown.into(),
        CommitError::Store(error) => error.into(),
    })?;
    // The next portion is read while one is being written.
    let mut writes = stream::iter(portions)
        .map(|portion| {
            let content = content.clone();
            blocking(move || content.writes(portion))
        })
        .buffered(2);
    while let Some(writes) = writes.next().await {
        import.write(writes?).await?;
    }
    // An account that is still moving in is announced when its owner activates it.
    import.finish(status == Some(Status::Active)).await?;
    Ok(Head { rev, commit: commit.cid, data })
}

/// What the new revision has to be above: the head's, and the file's, because who follows the account from its former host would take a
/// lesser one for old news. A revision of the future never was news to anybody.
fn floor(head: Tid, imported: Tid, now_us: i64) -> Tid {
    if imported.micros() > now_us.unsigned_abs() + AHEAD_US { head } else { head.max(imported) }
}
