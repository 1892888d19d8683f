//! References from records to blobs.

use crate::Cid;

/// The size of a blob whose record does not know it: clients write it when they rewrite a legacy reference in today's form.
pub const UNKNOWN_SIZE: i64 = -1;

/// A reference to a blob inside a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// The blob.
    pub cid: Cid,
    /// What the record says it is.
    pub mime_type: String,
    /// Bytes, as the record says; [`UNKNOWN_SIZE`] if it does not.
    pub size: i64,
}
