//! Storing an imported repository: new records are staged while nobody sees them, then one short transaction moves the head.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt, stream};
use pds_repo::{commit as signed, event, mst::Tree};
use pds_store::{
    AccountId, Db,
    account::Account,
    background, blob,
    commit::{NewCommit, RecordWrite, Staging},
    event as stored,
};
use pds_syntax::Tid;
use tokio::{sync::mpsc, time::sleep};

use super::{
    Error, Invalid,
    content::{Content, Part},
    portion::Portions,
};
use crate::{
    actor::{Actor, Actors, LOCK_RETRIES},
    clock,
    report::chain,
};

/// How long an import whose server has died keeps its repository from taking commits; microseconds.
pub(super) const LEASE_US: i64 = 120 * 1_000_000;
/// How often an import prolongs its lease.
const PROLONG: Duration = Duration::from_secs(30);
/// The longest pause between two portions.
const PAUSE: Duration = Duration::from_millis(200);
/// Paths whose references are counted by one statement.
const PATHS: usize = 200;
/// How far a revision may be ahead of the clock. Source: <https://atproto.com/specs/repository#commit-objects>.
const AHEAD_US: u64 = 5 * 60 * 1_000_000;

/// Makes the repository in the database the one of the file. Returns `false` if it is that already.
///
/// The reference keeps the commit of the file, which the former host signed with a key that the DID document will not name any more. Here
/// the head is a commit of this host over the same root, so that it can always be verified.
pub(super) async fn replace(
    actors: &Actors,
    account: &Account,
    content: &Arc<Content>,
    staging: &mut Staging,
) -> Result<bool, Error> {
    let actor = actors.load(account.id, &account.did).await?;
    if actor.repo.head.data == content.tree.root() {
        return Ok(false);
    }
    let now = actors.now_us();
    let rev = actors.next_rev(now, floor(actor.repo.head.rev, content.rev, now));
    let commit = NewCommit { quota: account.quota(actors.parts().quota), ..sign(account, &actor, content, rev, now) };
    let (before, db) = (actor.repo.tree, &actors.parts().db);
    let size = Arc::new(Portions::new(db.dialect(), stored::head(db).await?));
    check_replaced(db, account.id, content, &before, actors.parts().import.max_replaced).await?;
    let mut created = portions(content, &before, Part::Created, &size);
    let mut prolonged = Instant::now();
    while let Some(writes) = created.next().await {
        let (began, writes, mut locked_out) = (Instant::now(), writes?, 0);
        while let Err(error) = staging.write(&commit, writes.clone(), actors.now_us()).await {
            try_again(error, &mut locked_out)?;
        }
        if prolonged.elapsed() > PROLONG {
            staging.prolong(actors.now_us() + LEASE_US).await?;
            prolonged = Instant::now();
        }
        size.note(stored::head(db).await?);
        // As much time for the writes of others as this one took.
        sleep(began.elapsed().min(PAUSE)).await;
    }
    let mut locked_out = 0;
    while let Err(error) = swap(actors, content, staging, &commit, (&before, &size)).await {
        match error {
            Error::Store(error) => try_again(error, &mut locked_out)?,
            error => return Err(error),
        }
    }
    Ok(true)
}

/// The last transaction of the import.
async fn swap(
    actors: &Actors,
    content: &Arc<Content>,
    staging: &Staging,
    commit: &NewCommit,
    (before, size): (&Tree, &Arc<Portions>),
) -> Result<(), Error> {
    let mut swap = staging.swap(commit.clone(), content.body_bytes, actors.now_us()).await?;
    let mut replaced = portions(content, before, Part::Replaced, size);
    while let Some(writes) = replaced.next().await {
        swap.write(writes?).await?;
    }
    Ok(swap.finish().await?)
}

/// Gives the error back unless a lock was not free in time and that happened less than [`LOCK_RETRIES`] times before. A transaction that waited for
/// a lock was rolled back, and the import is still staged.
fn try_again(error: pds_store::Error, locked_out: &mut u32) -> Result<(), Error> {
    if !error.is_locked_out() || *locked_out >= LOCK_RETRIES {
        return Err(error.into());
    }
    *locked_out += 1;
    tracing::warn!(
        error = chain(&error),
        "a lock in the database was not free in time: this part of the import is stored again"
    );
    Ok(())
}

/// Refuses a file that changes or lacks more than `limit` records of the account, where each reference to a blob of either side counts as one more:
/// the transaction that replaces them is one that others wait for.
async fn check_replaced(
    db: &Db,
    account: AccountId,
    content: &Arc<Content>,
    before: &Tree,
    limit: u32,
) -> Result<(), Error> {
    let (content, before, most) = (content.clone(), before.clone(), usize::try_from(limit).unwrap_or(usize::MAX));
    let (paths, count) = background::run(move || content.replaced(&before, most)).await?;
    let mut count = count as u64;
    for some in paths.chunks(PATHS) {
        if count > limit.into() {
            break;
        }
        count += blob::referred_by(db, account, some).await?;
    }
    if count > limit.into() { Err(Invalid::Replaces { limit }.into()) } else { Ok(()) }
}

/// The commit that becomes the head, without its writes. It is announced as `#sync`: no `#commit` could hold so many operations.
fn sign(account: &Account, actor: &Actor, content: &Content, rev: Tid, now_us: i64) -> NewCommit {
    let data = content.tree.root();
    let commit = signed::sign(&account.did, rev, &data, &actor.key);
    NewCommit {
        account_id: account.id,
        expect_rev: actor.repo.head.rev,
        rev,
        commit: commit.cid,
        data,
        commit_bytes: commit.bytes.clone(),
        writes: Vec::new(),
        frame: event::sync(&account.did, rev, &commit.cid, &commit.bytes, &clock::text(now_us)),
        quota: None,
    }
}

/// The writes of one part of the import. The next portion is read while one is being stored.
fn portions(
    content: &Arc<Content>,
    before: &Tree,
    part: Part,
    size: &Arc<Portions>,
) -> impl Stream<Item = Result<Vec<RecordWrite>, Error>> + Send + Unpin + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let (content, size, mut differences) = (content.clone(), size.clone(), content.differences(before, part));
    tokio::spawn(background::run(move || {
        loop {
            let portion = content.portion(&mut differences, size.size()).transpose();
            let Some(portion) = portion else { return };
            // A receiver that is gone has failed.
            if sender.blocking_send(portion).is_err() {
                return;
            }
        }
    }));
    Box::pin(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|portion| (portion, receiver))
    }))
}

/// What the new revision has to be above: the head's, and the file's, because followers of the account at its former host would ignore a
/// lesser one as old. A revision of the future is not counted: nobody has accepted it.
fn floor(head: Tid, imported: Tid, now_us: i64) -> Tid {
    if imported.micros() > now_us.unsigned_abs() + AHEAD_US { head } else { head.max(imported) }
}
