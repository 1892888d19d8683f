//! The changes that a client asks for.

use pds_repo::Cid;
use pds_syntax::RepoPath;

use crate::actor::prepare::PreparedRecord;

/// One change of a repository.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a record at a path where there must be none.
    Create {
        /// The record.
        record: PreparedRecord,
        /// Delete the account's other records of the collection about the same subject.
        replace_subject: bool,
    },
    /// Writes a record at a path where there must be one.
    Update(PreparedRecord),
    /// Writes a record. The same content as before changes nothing.
    Put {
        /// The record.
        record: PreparedRecord,
        /// The CID that must be at the path now; `Some(None)`: there must be none.
        swap_record: Option<Option<Cid>>,
    },
    /// Deletes a record.
    Delete {
        /// Collection and key.
        path: RepoPath,
        /// The CID that must be at the path now.
        swap_record: Option<Cid>,
        /// A path without a record is no error.
        lenient: bool,
    },
}

impl Change {
    /// Number of references to blobs that it adds.
    #[must_use]
    pub fn references(&self) -> usize {
        self.record().map_or(0, |record| record.blobs().len())
    }

    pub(super) fn record(&self) -> Option<&PreparedRecord> {
        match self {
            Self::Create { record, .. } | Self::Update(record) | Self::Put { record, .. } => Some(record),
            Self::Delete { .. } => None,
        }
    }
}

/// Whether changes of several records may remove references to blobs: the database is asked for their number.
pub(super) fn may_remove_references(changes: &[Change]) -> bool {
    changes.len() > 1 && !changes.iter().all(|change| matches!(change, Change::Create { .. }))
}

/// Subject hashes of the records that may replace others about the same subject.
pub(super) fn subjects(changes: &[Change]) -> impl Iterator<Item = i64> {
    changes.iter().filter_map(Change::record).filter_map(|record| record.subject_hash)
}
