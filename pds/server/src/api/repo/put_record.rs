use axum::extract::State;
use pds_repo::{Action, Cid};
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::{Deserialize, Deserializer};
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
    #[serde(default, deserialize_with = "swap_record")]
    swap_record: Option<Option<Cid>>,
    swap_commit: Option<Cid>,
}

/// Distinguishes null from absent.
fn swap_record<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Cid>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `com.atproto.repo.putRecord`
///
/// The same content as before changes nothing and is answered without a commit.
pub async fn put_record(
    State(app): State<App>,
    access: Access,
    meter: Meter,
    Procedure(input): Procedure<PutRecordInput>,
) -> Result<Output<Written>> {
    own_repo(&input.repo, &access.account)?;
    // Which of the two it is follows from what is there.
    access.may_write(Action::Create, &input.collection)?;
    access.may_write(Action::Update, &input.collection)?;
    let preparation = Preparation::new(&app, &access.account, &meter, input.validate);
    let record = preparation.record(&input.collection, Some(input.rkey), input.record).await?;
    let change = |record| Change::Put { record, swap_record: input.swap_record };
    write_one(&app, &access.account, (&meter, cost::UPDATE), record, input.swap_commit, change).await
}
