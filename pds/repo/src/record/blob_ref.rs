//! References from records to blobs.

use crate::Cid;

/// The size in a reference that does not know the size. Clients write it when they convert a reference from the legacy form.
pub const UNKNOWN_SIZE: i64 = -1;

/// A reference to a blob inside a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    pub cid: Cid,
    /// Media type, according to the record.
    pub mime_type: String,
    /// Size in bytes, according to the record. [`UNKNOWN_SIZE`] if it is not in the record.
    pub size: i64,
}
