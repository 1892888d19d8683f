//! `com.atproto.repo.*`.

mod apply_writes;
mod create_record;
mod delete_record;
mod describe_repo;
mod get_record;
mod import_repo;
mod list_missing_blobs;
mod list_records;
mod prepare;
mod put_record;
mod refuse;
mod upload_blob;

pub use apply_writes::apply_writes;
pub use create_record::create_record;
pub use delete_record::delete_record;
pub use describe_repo::describe_repo;
pub use get_record::get_record;
pub use import_repo::import_repo;
pub use list_missing_blobs::list_missing_blobs;
pub use list_records::list_records;
pub use put_record::put_record;
pub use upload_blob::upload_blob;

use std::io::Write;

use pds_repo::{Cid, Head, record as codec};
use pds_store::{account::Account, record::Record};
use pds_syntax::{Did, RepoPath, Tid};
use prepare::Preparation;
use serde::Serialize;
use tracing::debug;

use super::own_repo;
use crate::{
    actor::{
        prepare::PreparedRecord,
        write::{Change, MAX_REFERENCES, Outcome},
    },
    app::App,
    http::rate_limit::Meter,
    rate_limit::{WRITES, cost},
    xrpc::{Output, XrpcError},
};

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

/// Appends `uri`, `cid` and `value` of a stored record as a JSON object. Straight into the answer: nearly all of it is the record itself,
/// which is JSON already once it is written.
fn write_record(out: &mut Vec<u8>, did: &Did, record: &Record) -> Result<(), XrpcError> {
    // Neither a URI nor a CID has a character that JSON would escape.
    let Record { path, cid, body } = record;
    write!(out, r#"{{"uri":"at://{did}/{path}","cid":"{cid}","value":"#).expect("a Vec takes everything");
    codec::write_json(body, out).map_err(|error| XrpcError::internal("reading a stored record", &error))?;
    out.push(b'}');
    Ok(())
}

/// The answer to a written record.
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

/// Makes all changes, whose writes have cost `paid` points, in one commit. Charges for a large event, or for many references to blobs, what the
/// writes have not paid.
///
/// The size, and the references of what is replaced, are known when the commit is stored, so the last commit of an hour may be larger than the rest of the budget. Then nothing more is
/// charged, and the next writes find the rest.
async fn apply(
    app: &App,
    account: &Account,
    (meter, paid): (&Meter, u32),
    changes: Vec<Change>,
    swap_commit: Option<Cid>,
) -> Result<Outcome, XrpcError> {
    let added: usize = changes.iter().map(Change::references).sum();
    // More are refused.
    let of_added = cost::of_references(added.min(MAX_REFERENCES), paid);
    if of_added > 0 {
        meter.charge(app, &WRITES, account.did.as_str(), of_added).await?;
    }
    let (outcome, paid) = (app.actors.apply(account, changes, swap_commit).await?, paid.saturating_add(of_added));
    let references = added.saturating_add(outcome.removed_references);
    let more = cost::of_event(outcome.event_bytes, paid).max(cost::of_references(references, paid));
    if more > 0 && meter.charge(app, &WRITES, account.did.as_str(), more).await.is_err() {
        debug!(
            repo.did = %account.did,
            "the event of {} bytes and the {references} references to blobs cost more than the rest of the write budget", outcome.event_bytes
        );
    }
    Ok(outcome)
}

/// Writes one record, whose write has cost `paid` points.
async fn write_one(
    app: &App,
    account: &Account,
    (meter, paid): (&Meter, u32),
    record: PreparedRecord,
    swap_commit: Option<Cid>,
    change: impl FnOnce(PreparedRecord) -> Change,
) -> Result<Output<Written>, XrpcError> {
    let (uri, cid, status) = (uri(&account.did, &record.path), record.record.cid, record.status);
    let outcome = apply(app, account, (meter, paid), vec![change(record)], swap_commit).await?;
    let validation_status = status.map(|status| status.as_str());
    Ok(Output(Written { uri, cid, commit: outcome.head.map(Into::into), validation_status }))
}
