//! Records of an imported repository that are not as they should be. The owner is told of them.

use pds_repo::Cid;
use pds_syntax::Did;

/// Maximum number of records that are listed one by one.
const NOTES: usize = 1_000;

/// What was imported. Faulty records do not keep a repository from being imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of imported records.
    pub records: usize,
    /// Imported records that do not match the data model. They were stored as they are.
    pub kept: Notes,
    /// Records that were not imported, because they could be neither read nor shown here.
    pub left_out: Notes,
}

/// Faulty records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Note>,
}

/// A faulty record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its key in the tree, which need not be the path of a record.
    pub path: String,
    /// CID of its block.
    pub cid: Cid,
    /// The rule that it breaks.
    pub reason: String,
}

impl Report {
    /// Logs the number of faulty records of `did`, and the first one.
    pub(super) fn log(&self, did: &Did) {
        let kinds =
            [(&self.kept, "kept records that are outside the data model"), (&self.left_out, "left out records")];
        for (notes, what) in kinds {
            if let Some(Note { path, reason, .. }) = notes.first.first() {
                let count = notes.count;
                tracing::warn!(repo.did = %did, count, path, reason, "an import of {did} {what}: {count}, the first is {path}: {reason}");
            }
        }
    }
}

impl Notes {
    pub(super) fn add(&mut self, path: &str, cid: Cid, reason: String) {
        self.count += 1;
        if self.first.len() < NOTES {
            self.first.push(Note { path: path.to_owned(), cid, reason });
        }
    }
}
