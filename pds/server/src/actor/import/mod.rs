//! A whole repository from a CAR file, in place of the one that is there.
//!
//! The file goes into a temporary one while it comes (`spool`) and is checked from its commit to its last record (`content`). What differs
//! from the repository in the database is then stored: all of it, or nothing (`pds_store::commit::Staging`).

mod content;
mod spool;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use pds_repo::{commit as signed, event, mst::Tree};
use pds_store::{
    account::Account,
    background, blob,
    commit::{CommitError, Prepared, Staging, Write},
};
use pds_syntax::Tid;
use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use uuid::Uuid;

use self::content::{Content, Portion, Which};
pub use self::content::{Invalid, Note, Noted, Report};
use super::{LoadError, load};
use crate::{app::App, clock, report::chain};

/// Imports at once: each has its index and its tree in memory.
const AT_ONCE: usize = 3;
/// How long an import whose server has died keeps its repository from taking commits; microseconds.
const LEASE_US: i64 = 120 * 1_000_000;
/// How often an import says that it goes on.
const PROLONG: Duration = Duration::from_secs(30);
/// The longest pause between two portions.
const PAUSE: Duration = Duration::from_millis(200);
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

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Closed { .. } => Self::TakenDown,
            CommitError::Imported { .. } | CommitError::Stale { .. } | CommitError::Blobs { .. } => Self::Busy,
            CommitError::Store(error) => Self::Store(error),
        }
    }
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
    let (spool, root) =
        spool::receive(body, app.settings.import.max_bytes, app.settings.import.max_records.into()).await?;
    let (app, account) = (app.clone(), account.clone());
    let task = tokio::spawn(async move {
        let (did, most) = (account.did.clone(), u64::from(app.settings.import.max_records));
        let content = Arc::new(background::run(move || Content::read(spool, &root, &did, most)).await?);
        let imported = in_turn(&app, &account, &content).await;
        drop((turn, own));
        imported.map(|()| tell(&account, &content.report))
    });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Nothing that somebody brings is lost in silence.
fn tell(account: &Account, report: &Report) -> Report {
    for (noted, what) in
        [(&report.kept, "kept records that are outside the data model"), (&report.left_out, "left out records")]
    {
        if let Some(Note { path, reason, .. }) = noted.first.first() {
            let (did, count) = (&account.did, noted.count);
            tracing::warn!(repo.did = %did, count, path, reason, "an import of {did} {what}: {count}, the first is {path}: {reason}");
        }
    }
    report.clone()
}

async fn in_turn(app: &App, account: &Account, content: &Arc<Content>) -> Result<(), Error> {
    let slot = app.actors.slot(account.id).await;
    let now = app.clock.now_us();
    let token = Uuid::new_v4().simple().to_string();
    // From here on nobody commits to the repository, on any replica, so what is staged fits what is there in the end.
    let mut staging = Staging::begin(&app.db, account.id, &token, now, now + LEASE_US).await?;
    let done = replace(app, account, content, &mut staging).await;
    if !matches!(done, Ok(true))
        && let Err(error) = staging.undo().await
    {
        tracing::warn!(repo.did = %account.did, error = chain(&error), "an import could not be undone yet");
    }
    slot.line().forget();
    if done? {
        app.metrics.committed();
        let (did, records) = (&account.did, content.tree.len());
        tracing::info!(repo.did = %did, records, "imported the repository of {did}");
        app.actors.weigh(account.id, &slot, content.tree.len()).await;
        // The import is durable. A blob that this leaves temporary is swept, and then listed as missing.
        if let Err(error) = blob::adopt(&app.db, account.id).await {
            tracing::warn!(repo.did = %did, error = chain(&error), "blobs may have to be uploaded again");
        }
    }
    Ok(())
}

/// Makes the repository in the database the one of the file, unless it is that already: false.
///
/// The reference keeps the commit of the file, which the former host signed with a key that the DID document will not name any more. Here
/// the head is a commit of our own over the same root, so that whoever asks can always verify it.
async fn replace(app: &App, account: &Account, content: &Arc<Content>, staging: &mut Staging) -> Result<bool, Error> {
    let actor = load(app, account.id, &account.did).await?;
    if actor.repo.head.data == content.tree.root() {
        return Ok(false);
    }
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
    let (before, most) = (actor.repo.tree, Portion::on(app.db.dialect()));
    let mut created = portions(content, &before, Which::Created, most);
    let mut prolonged = Instant::now();
    while let Some(writes) = created.next().await {
        let began = Instant::now();
        staging.write(&prepared, writes?, app.clock.now_us()).await?;
        if prolonged.elapsed() > PROLONG {
            staging.prolong(app.clock.now_us() + LEASE_US).await?;
            prolonged = Instant::now();
        }
        // Others write as much as this does.
        sleep(began.elapsed().min(PAUSE)).await;
    }
    let mut import = staging.swap(prepared, app.clock.now_us()).await?;
    let mut replaced = portions(content, &before, Which::Replaced, most);
    while let Some(writes) = replaced.next().await {
        import.write(writes?).await?;
    }
    import.finish().await?;
    Ok(true)
}

/// Changes as the store takes them. The next portion is read while one is being written.
fn portions(
    content: &Arc<Content>,
    before: &Tree,
    which: Which,
    most: Portion,
) -> impl Stream<Item = Result<Vec<Write>, Error>> + Send + Unpin + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let (content, mut changes) = (content.clone(), content.changes(before, which));
    tokio::spawn(background::run(move || {
        loop {
            let portion = content.portion(&mut changes, most).transpose();
            let Some(portion) = portion else { return };
            // Whoever stops taking them has failed.
            if sender.blocking_send(portion).is_err() {
                return;
            }
        }
    }));
    Box::pin(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|portion| (portion, receiver))
    }))
}

/// What the new revision has to be above: the head's, and the file's, because who follows the account from its former host would take a
/// lesser one for old news. A revision of the future never was news to anybody.
fn floor(head: Tid, imported: Tid, now_us: i64) -> Tid {
    if imported.micros() > now_us.unsigned_abs() + AHEAD_US { head } else { head.max(imported) }
}
