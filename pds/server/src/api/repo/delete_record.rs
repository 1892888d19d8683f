use axum::extract::State;
use pds_repo::{Action, Cid};
use pds_syntax::{AtIdentifier, Nsid, RecordKey, RepoPath};
use serde::{Deserialize, Serialize};

use super::{CommitMeta, apply, own_repo};
use crate::{
    actor::write::Change,
    app::App,
    auth::Access,
    http::rate_limit::Meter,
    rate_limit::cost,
    xrpc::{Output, Procedure, Result},
};

/// Input of `com.atproto.repo.deleteRecord`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRecordInput {
    repo: AtIdentifier,
    collection: Nsid,
    rkey: RecordKey,
    swap_record: Option<Cid>,
    swap_commit: Option<Cid>,
}

/// Output of `com.atproto.repo.deleteRecord`.
#[derive(Debug, Serialize)]
pub struct DeleteRecordOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitMeta>,
}

/// `com.atproto.repo.deleteRecord`
///
/// Deleting a record that does not exist succeeds and makes no commit.
pub async fn delete_record(
    State(app): State<App>,
    access: Access,
    meter: Meter,
    Procedure(input): Procedure<DeleteRecordInput>,
) -> Result<Output<DeleteRecordOutput>> {
    own_repo(&input.repo, &access.account)?;
    access.may_write(Action::Delete, &input.collection)?;
    let path = RepoPath::new(&input.collection, &input.rkey);
    let changes = vec![Change::Delete { path, swap_record: input.swap_record, lenient: true }];
    let outcome = apply(&app, &access.account, (&meter, cost::DELETE), changes, input.swap_commit).await?;
    Ok(Output(DeleteRecordOutput { commit: outcome.head.map(Into::into) }))
}
