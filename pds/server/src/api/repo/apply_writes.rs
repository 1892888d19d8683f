use axum::extract::State;
use pds_repo::{Action, Cid, MAX_WRITES};
use pds_syntax::{AtIdentifier, Nsid, RecordKey, RepoPath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommitMeta, Preparation, apply, own_repo, uri};
use crate::{
    actor::write::Change,
    app::App,
    auth::Access,
    http::rate_limit::Meter,
    rate_limit::{WRITES, cost},
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.repo.applyWrites`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyWritesInput {
    repo: AtIdentifier,
    validate: Option<bool>,
    writes: Vec<WriteInput>,
    swap_commit: Option<Cid>,
}

/// One write.
#[derive(Debug, Deserialize)]
#[serde(tag = "$type")]
pub(super) enum WriteInput {
    /// Fails if the record exists.
    #[serde(rename = "com.atproto.repo.applyWrites#create")]
    Create {
        /// The record's collection.
        collection: Nsid,
        /// Record key; the server makes one if it is absent.
        rkey: Option<RecordKey>,
        /// The record as JSON.
        value: Value,
    },
    /// Fails if it does not exist.
    #[serde(rename = "com.atproto.repo.applyWrites#update")]
    Update {
        /// The record's collection.
        collection: Nsid,
        /// The record's key.
        rkey: RecordKey,
        /// The record as JSON.
        value: Value,
    },
    /// Fails if it does not exist.
    #[serde(rename = "com.atproto.repo.applyWrites#delete")]
    Delete {
        /// The record's collection.
        collection: Nsid,
        /// The record's key.
        rkey: RecordKey,
    },
}

impl WriteInput {
    fn action(&self) -> (Action, &Nsid) {
        match self {
            Self::Create { collection, .. } => (Action::Create, collection),
            Self::Update { collection, .. } => (Action::Update, collection),
            Self::Delete { collection, .. } => (Action::Delete, collection),
        }
    }

    /// Points of the repository's budget.
    fn cost(&self) -> u32 {
        match self {
            Self::Create { .. } => cost::CREATE,
            Self::Update { .. } => cost::UPDATE,
            Self::Delete { .. } => cost::DELETE,
        }
    }
}

/// Output of `com.atproto.repo.applyWrites`.
#[derive(Debug, Serialize)]
pub struct ApplyWritesOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitMeta>,
    results: Vec<WriteResult>,
}

/// The result of one write.
#[derive(Debug, Serialize)]
#[serde(tag = "$type")]
pub(super) enum WriteResult {
    /// Of [`WriteInput::Create`].
    #[serde(rename = "com.atproto.repo.applyWrites#createResult", rename_all = "camelCase")]
    Created {
        /// AT URI.
        uri: String,
        /// CID of the record.
        cid: Cid,
        /// Result of the lexicon check.
        #[serde(skip_serializing_if = "Option::is_none")]
        validation_status: Option<&'static str>,
    },
    /// Of [`WriteInput::Update`].
    #[serde(rename = "com.atproto.repo.applyWrites#updateResult", rename_all = "camelCase")]
    Updated {
        /// AT URI.
        uri: String,
        /// CID of the record.
        cid: Cid,
        /// Result of the lexicon check.
        #[serde(skip_serializing_if = "Option::is_none")]
        validation_status: Option<&'static str>,
    },
    /// Of [`WriteInput::Delete`].
    #[serde(rename = "com.atproto.repo.applyWrites#deleteResult")]
    Deleted {},
}

/// `com.atproto.repo.applyWrites`
///
/// All writes in one commit, or none.
pub async fn apply_writes(
    State(app): State<App>,
    access: Access,
    meter: Meter,
    Procedure(input): Procedure<ApplyWritesInput>,
) -> Result<Output<ApplyWritesOutput>> {
    own_repo(&input.repo, &access.account)?;
    let account = &access.account;
    if input.writes.len() > MAX_WRITES {
        return Err(XrpcError::invalid(format!("Too many writes. Max: {MAX_WRITES}")));
    }
    for write in &input.writes {
        let (action, collection) = write.action();
        access.may_write(action, collection)?;
    }
    let points: u32 = input.writes.iter().map(WriteInput::cost).sum();
    meter.charge(&app, &WRITES, account.did.as_str(), points).await?;
    let preparation = Preparation::new(&app, account, &meter, input.validate);
    let (mut changes, mut results) = (Vec::with_capacity(input.writes.len()), Vec::with_capacity(input.writes.len()));
    for write in input.writes {
        match write {
            WriteInput::Create { collection, rkey, value } => {
                let record = preparation.record(&collection, rkey, value).await?;
                let validation_status = record.status.map(|status| status.as_str());
                results.push(WriteResult::Created {
                    uri: uri(&account.did, &record.path),
                    cid: record.record.cid,
                    validation_status,
                });
                changes.push(Change::Create { record, replace_subject: false });
            }
            WriteInput::Update { collection, rkey, value } => {
                let record = preparation.record(&collection, Some(rkey), value).await?;
                let validation_status = record.status.map(|status| status.as_str());
                results.push(WriteResult::Updated {
                    uri: uri(&account.did, &record.path),
                    cid: record.record.cid,
                    validation_status,
                });
                changes.push(Change::Update(record));
            }
            WriteInput::Delete { collection, rkey } => {
                changes.push(Change::Delete {
                    path: RepoPath::new(&collection, &rkey),
                    swap_record: None,
                    lenient: false,
                });
                results.push(WriteResult::Deleted {});
            }
        }
    }
    let outcome = apply(&app, account, (&meter, points), changes, input.swap_commit).await?;
    Ok(Output(ApplyWritesOutput { commit: outcome.head.map(Into::into), results }))
}
