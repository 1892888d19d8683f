//! How browsers treat a blob.

use pds_repo::Cid;

/// The value of `Content-Disposition`: browsers save a blob and do not show it, because it may be a page with scripts.
pub fn disposition(cid: &Cid) -> String {
    format!("attachment; filename=\"{cid}\"")
}
