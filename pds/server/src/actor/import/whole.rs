//! A repository that comes with its signing key: it is taken as it is, down to the commit, or not at all.

use std::{fs::File, sync::Arc};

use pds_config::Import;
use pds_crypto::PublicKey;
use pds_repo::{Head, commit, event::Frame, mst::Tree};
use pds_store::{
    AccountId, Db,
    commit::{CommitError, NewCommit, Staging, Swap},
};
use pds_syntax::{Did, Tid};

use super::{
    Error, Note,
    content::{Content, Part},
    memory::Memory,
    portion::PortionSize,
};
use crate::task::run_blocking;

/// Bounds of such a repository: no stranger sends one.
const LIMITS: Import = Import { accepted: true, max_bytes: 64 << 30, max_records: 50_000_000, max_replaced: 0 };
/// Memory for the tree and the list of blocks, in bytes.
const MEMORY_BYTES: u64 = 2 << 30;
/// How long the staged records hold without being prolonged; microseconds.
const LEASE_US: i64 = 24 * 3600 * 1_000_000;

/// A repository in a CAR file that was checked from its signature to its last record.
pub struct Whole {
    content: Arc<Content>,
    head: Head,
}

/// Why a repository is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// The file is not the repository, or cannot be read.
    #[error(transparent)]
    Import(#[from] Error),
    /// The commit was signed with another key.
    #[error("the signature of the commit does not match the account's key")]
    Signature,
    /// Without this record the root would be another one.
    #[error("record {} ({}) cannot be stored: {}", .0.path, .0.cid, .0.reason)]
    Record(Box<Note>),
}

impl Whole {
    /// Reads the repository of `did` in a CAR file, whose commit must be signed with `key`. Blocks until all is read.
    ///
    /// # Errors
    /// [`WholeError`], which says why this is not the repository.
    pub fn read(file: File, did: &Did, key: &PublicKey) -> Result<Self, WholeError> {
        let content = Content::read(file, did, LIMITS, Memory::new(MEMORY_BYTES).part())?;
        let signed = commit::decode(&content.commit.bytes).map_err(|_| WholeError::Signature)?;
        signed.verify(key).map_err(|_| WholeError::Signature)?;
        if let Some(note) = content.report.left_out.first.first() {
            return Err(WholeError::Record(Box::new(note.clone())));
        }
        let head = Head { rev: content.rev, commit: content.commit.cid, data: content.tree.root() };
        Ok(Self { content: Arc::new(content), head })
    }

    /// Its head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The head that a repository must have before [`Whole::stage`]: that of an empty tree, which nobody signed.
    #[must_use]
    pub fn unsigned_head() -> Head {
        let data = Tree::empty().root();
        Head { rev: Tid::from_micros(0, 0), commit: data, data }
    }

    /// Stages all records of an account whose repository has [`Whole::unsigned_head`].
    ///
    /// # Errors
    /// When the database cannot be written, or the file cannot be read again.
    pub async fn stage(&self, db: &Db, id: AccountId, now_us: i64) -> Result<Staging, Error> {
        let mut staging = Staging::begin(db, id, "adoption", now_us, now_us.saturating_add(LEASE_US)).await?;
        let (commit, size) = (self.commit(id), PortionSize::large(db.dialect()));
        let mut differences = self.content.differences(&Tree::empty(), Part::Created);
        loop {
            let content = self.content.clone();
            let (rest, portion) = run_blocking(move || {
                let portion = content.portion(&mut differences, size);
                (differences, portion)
            })
            .await;
            differences = rest;
            let Some(writes) = portion? else { return Ok(staging) };
            staging.write(&commit, writes, now_us).await?;
        }
    }

    /// Makes the staged records the repository, in a transaction that the caller ends. There is no event.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn swap(&self, staging: &Staging, id: AccountId, now_us: i64) -> Result<Swap, CommitError> {
        staging.swap(self.commit(id), self.content.body_bytes, now_us).await
    }

    fn commit(&self, id: AccountId) -> NewCommit {
        NewCommit {
            account_id: id,
            expect_rev: Self::unsigned_head().rev,
            rev: self.head.rev,
            commit: self.head.commit,
            data: self.head.data,
            commit_bytes: self.content.commit.bytes.clone(),
            writes: Vec::new(),
            frame: Frame { prefix: Default::default(), suffix: Default::default() },
            quota: None,
        }
    }
}
