use axum::extract::State;
use pds_repo::{Action, Cid};
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::Deserialize;
use serde_json::Value;

use super::{Preparation, Written, own_repo, write_one};
use crate::{
    actor::write::Change,
    app::App,
    auth::Access,
    http::rate_limit::Meter,
    rate_limit::cost,
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
    meter: Meter,
    Procedure(input): Procedure<CreateRecordInput>,
) -> Result<Output<Written>> {
    own_repo(&input.repo, &access.account)?;
    access.may_write(Action::Create, &input.collection)?;
    let preparation = Preparation::new(&app, &access.account, &meter, input.validate);
    let record = preparation.record(&input.collection, input.rkey, input.record).await?;
    // An older record about the same subject is deleted, which a limited app password may not be allowed to do.
    let replace_subject = access.may_write(Action::Delete, &input.collection).is_ok();
    let change = |record| Change::Create { record, replace_subject };
    write_one(&app, &access.account, (&meter, cost::CREATE), record, input.swap_commit, change).await
}
