//! What changes mean for one state of a repository.

use pds_repo::{Cid, Error as RepoError, Write};
use pds_store::{AccountId, Db, record};
use pds_syntax::{Nsid, RepoPath};

use super::{Change, Error};
use crate::actor::{
    Actor,
    prepare::{PreparedRecord, subject_of_block},
};

/// The writes that changes come to, all of which go into one commit.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    /// The records to store with them.
    pub(super) records: Vec<PreparedRecord>,
    /// How many of the writes delete records that new ones replace.
    pub(super) replaced: usize,
}

/// Checks the conditions of the changes against the tree. At most `most_replaced` records about the subjects of new ones are deleted, the
/// oldest first.
///
/// # Errors
/// [`Error::SwapRecord`], or the tree or the database failed.
pub(super) async fn plan(
    db: &Db,
    account: AccountId,
    actor: &Actor,
    changes: &[Change],
    most_replaced: usize,
) -> Result<Plan, Error> {
    let current = |path: &RepoPath| actor.repo.tree.get(path.as_str()).map_err(RepoError::from);
    let (writes, records) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    let mut plan = Plan { writes, records, replaced: 0 };
    for change in changes {
        match change {
            Change::Create { record, replace_subject } => {
                let others = if *replace_subject { same_subject(db, account, record).await? } else { Vec::new() };
                for path in others {
                    // One that the tree does not have was written by another replica just now: this commit will be refused.
                    if plan.replaced < most_replaced && current(&path)?.is_some() {
                        plan.writes.push(Write::Delete { path });
                        plan.replaced += 1;
                    }
                }
                plan.create(record);
            }
            Change::Update(record) => plan.update(record),
            Change::Put { record, swap_record } => {
                let now = current(&record.path)?;
                check_swap(swap_record.as_ref(), now)?;
                match now {
                    Some(now) if now == record.record.cid => {}
                    Some(_) => plan.update(record),
                    None => plan.create(record),
                }
            }
            Change::Delete { path, swap_record, lenient } => {
                let now = current(path)?;
                if now.is_none() && *lenient {
                    continue;
                }
                check_swap(swap_record.map(Some).as_ref(), now)?;
                plan.writes.push(Write::Delete { path: path.clone() });
            }
        }
    }
    Ok(plan)
}

impl Plan {
    fn create(&mut self, record: &PreparedRecord) {
        let (path, cid, bytes) = content(record);
        self.writes.push(Write::Create { path, cid, bytes });
        self.records.push(record.clone());
    }

    fn update(&mut self, record: &PreparedRecord) {
        let (path, cid, bytes) = content(record);
        self.writes.push(Write::Update { path, cid, bytes });
        self.records.push(record.clone());
    }
}

fn content(record: &PreparedRecord) -> (RepoPath, Cid, bytes::Bytes) {
    (record.path.clone(), record.record.cid, record.record.bytes.clone())
}

fn check_swap(wanted: Option<&Option<Cid>>, current: Option<Cid>) -> Result<(), Error> {
    match wanted {
        Some(wanted) if *wanted != current => Err(Error::SwapRecord { current }),
        _ => Ok(()),
    }
}

/// The account's other records of the collection about the same subject, oldest first. The database finds them by 64 bits of a hash, so
/// the subjects themselves are compared: a record about another subject is never deleted.
async fn same_subject(db: &Db, account: AccountId, record: &PreparedRecord) -> Result<Vec<RepoPath>, Error> {
    let (Some(hash), Ok(collection)) = (record.subject_hash, record.path.collection().parse::<Nsid>()) else {
        return Ok(Vec::new());
    };
    let subject = subject_of_block(collection.as_str(), &record.record.bytes);
    let found = record::same_subject(db, account, &collection, hash).await?;
    let same = |other: &record::Record| {
        other.path != record.path && subject_of_block(collection.as_str(), &other.body) == subject
    };
    Ok(found.into_iter().filter(same).map(|other| other.path).collect())
}
