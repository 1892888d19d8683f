use axum::extract::State;
use pds_repo::Cid;
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Written, uri};
use crate::{
    actor::{
        prepare,
        write::{self, Change},
    },
    api::own_repo,
    app::App,
    auth::Access,
    xrpc::{Output, Procedure, Result},
};

/// Input of `com.atproto.repo.putRecord`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutRecordInput {
    repo: AtIdentifier,
    collection: Nsid,
    rkey: RecordKey,
    validate: Option<bool>,
    record: Value,
    /// Absent: any; null: there must be none.
    #[serde(default, deserialize_with = "present")]
    swap_record: Option<Option<Cid>>,
    swap_commit: Option<Cid>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Cid>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `com.atproto.repo.putRecord`
///
/// The same content as before changes nothing and is answered without a commit.
pub async fn put_record(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<PutRecordInput>,
) -> Result<Output<Written>> {
    let account = &access.account;
    own_repo(&input.repo, account)?;
    access.may_write()?;
    let record = prepare::record(&app, &input.collection, Some(input.rkey), input.record, input.validate)?;
    let (uri, cid, status) = (uri(&account.did, &record.path), record.record.cid, record.status);
    let changes = vec![Change::Put { record, swap_record: input.swap_record }];
    let outcome = write::apply(&app, account, changes, input.swap_commit).await?;
    Ok(Output(Written {
        uri,
        cid,
        commit: outcome.head.map(Into::into),
        validation_status: status.map(|status| status.as_str()),
    }))
}
