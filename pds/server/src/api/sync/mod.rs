//! `com.atproto.sync.*`.

mod get_blob;
mod get_blocks;
mod get_head;
mod get_latest_commit;
mod get_record;
mod get_repo;
mod get_repo_status;
mod list_blobs;
mod list_repos;
mod subscribe_repos;

pub use get_blob::get_blob;
pub use get_blocks::get_blocks;
pub use get_head::get_head;
pub use get_latest_commit::get_latest_commit;
pub use get_record::get_record;
pub use get_repo::{get_checkout, get_repo};
pub use get_repo_status::get_repo_status;
pub use list_blobs::list_blobs;
pub use list_repos::list_repos;
pub use subscribe_repos::subscribe_repos;
