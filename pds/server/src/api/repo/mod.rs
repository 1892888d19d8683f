//! `com.atproto.repo.*`.

mod apply_writes;
mod create_record;
mod delete_record;
mod describe_repo;
mod get_record;
mod list_records;
mod put_record;
mod refuse;
mod upload_blob;

pub use apply_writes::apply_writes;
pub use create_record::create_record;
pub use delete_record::delete_record;
pub use describe_repo::describe_repo;
pub use get_record::get_record;
pub use list_records::list_records;
pub use put_record::put_record;
pub use upload_blob::upload_blob;

use pds_repo::{Cid, Head};
use pds_syntax::{AtUri, Did, RepoPath, Tid};
use serde::Serialize;

/// A commit as the write methods name it.
#[derive(Debug, Serialize)]
pub struct CommitMeta {
    cid: Cid,
    rev: Tid,
}

impl From<Head> for CommitMeta {
    fn from(head: Head) -> Self {
        Self { cid: head.commit, rev: head.rev }
    }
}

fn uri(did: &Did, path: &RepoPath) -> String {
    format!("at://{did}/{path}")
}

/// What a written record is answered with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    uri: String,
    cid: Cid,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitMeta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_status: Option<&'static str>,
}

/// The URI of a record whose parts are typed already.
fn record_uri(did: &Did, collection: &pds_syntax::Nsid, rkey: &pds_syntax::RecordKey) -> AtUri {
    AtUri::record(did, collection, rkey)
}
