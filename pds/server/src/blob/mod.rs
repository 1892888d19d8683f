//! Blobs: uploads that nobody refers to yet, reading those that somebody does, and deleting what is left over.

mod checks;
mod closed;
mod lost;
mod redirect;
mod sweep;
mod upload;

pub use checks::Checks;
pub use closed::Closed;
pub use lost::{look, mark_found, mark_lost};
pub use redirect::{Target, redirect};
pub use sweep::sweep;
pub use upload::{Error, Uploaded, take_back, upload};

use pds_repo::Cid;

/// Browsers save a blob, they do not show it: it may be a page.
pub fn disposition(cid: &Cid) -> String {
    format!("attachment; filename=\"{cid}\"")
}
