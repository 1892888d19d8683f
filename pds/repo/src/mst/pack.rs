//! The bytes of a packed subtree. [`packing`](super::packing) writes and reads them.

use crate::Cid;

/// A whole subtree of level [`LEVEL`](super::packing::LEVEL) in compact form.
#[derive(Debug)]
pub(crate) struct Pack {
    cid: Cid,
    bytes: Box<[u8]>,
}

impl Pack {
    pub(super) fn new(cid: Cid, bytes: Vec<u8>) -> Self {
        Self { cid, bytes: bytes.into() }
    }

    /// The CID of the topmost node.
    pub(crate) fn cid(&self) -> Cid {
        self.cid
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of::<Self>() + 32
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
