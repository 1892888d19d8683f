use axum::extract::State;
use pds_repo::Cid;
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::Deserialize;
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

/// Input of `com.atproto.repo.createRecord`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRecordInput {
    repo: AtIdentifier,
    collection: Nsid,
    rkey: Option<RecordKey>,
    validate: Option<bool>,
    record: Value,
    swap_commit: Option<Cid>,
}

/// `com.atproto.repo.createRecord`
pub async fn create_record(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<CreateRecordInput>,
) -> Result<Output<Written>> {
    let account = &access.account;
    own_repo(&input.repo, account)?;
    access.may_write()?;
    let record = prepare::record(&app, &input.collection, input.rkey, input.record, input.validate)?;
    let (uri, cid, status) = (uri(&account.did, &record.path), record.record.cid, record.status);
    let changes = vec![Change::Create { record, replace_subject: true }];
    let outcome = write::apply(&app, account, changes, input.swap_commit).await?;
    Ok(Output(Written {
        uri,
        cid,
        commit: outcome.head.map(Into::into),
        validation_status: status.map(|status| status.as_str()),
    }))
}
