//! Blobs: uploads that nobody refers to yet, reading those that somebody does, and deleting what is left over.

mod redirect;
mod sweep;
mod upload;

pub use redirect::{Target, redirect};
pub use sweep::sweep;
pub use upload::{Error, Uploaded, upload};

use pds_repo::Cid;

/// Browsers save a blob, they do not show it: it may be a page.
pub fn disposition(cid: &Cid) -> String {
    format!("attachment; filename=\"{cid}\"")
}
