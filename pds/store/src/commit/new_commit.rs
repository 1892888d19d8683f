//! A signed commit, as the caller hands it over.

use bytes::Bytes;
use pds_repo::{Cid, event::Frame};
use pds_syntax::{RepoPath, Tid};

use crate::AccountId;

/// A signed commit, ready to be stored.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// The account whose repository it changes.
    pub account_id: AccountId,
    /// The revision that it was built on.
    pub expect_rev: Tid,
    /// The new revision.
    pub rev: Tid,
    /// CID of the commit block.
    pub commit: Cid,
    /// Root of the tree.
    pub data: Cid,
    /// The commit block.
    pub commit_bytes: Bytes,
    /// The records that change, each path at most once.
    pub writes: Vec<RecordWrite>,
    /// The event that announces it.
    pub frame: Frame,
    /// Maximum size of all records and blobs of the account, if the commit makes its records larger; in bytes.
    pub quota: Option<u64>,
}

/// A change of one record, already checked against the tree that the commit was built on.
#[derive(Clone, Debug)]
pub enum RecordWrite {
    /// There was no record at the path.
    Create(Put),
    /// Replaces the record at the path.
    Update(Put),
    /// Deletes the record at the path.
    Delete {
        /// Collection and key.
        path: RepoPath,
    },
}

/// A record to store.
#[derive(Clone, Debug)]
pub struct Put {
    /// Collection and key.
    pub path: RepoPath,
    /// CID of the body.
    pub cid: Cid,
    /// The record as DAG-CBOR.
    pub body: Bytes,
    /// [`crate::record::subject_hash`], for collections in which a record replaces others about the same subject.
    pub subject_hash: Option<i64>,
    /// The blobs that the record refers to.
    pub blobs: Vec<Cid>,
}
