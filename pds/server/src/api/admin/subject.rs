//! What an administrator decides about, as `com.atproto.admin.defs` names it.

use pds_repo::Cid;
use pds_syntax::{AtUri, Did, RepoPath};
use serde::{Deserialize, Serialize};

use crate::xrpc::XrpcError;

/// An account, a record or a blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "$type")]
pub(super) enum Subject {
    #[serde(rename = "com.atproto.admin.defs#repoRef")]
    Account { did: Did },
    #[serde(rename = "com.atproto.repo.strongRef")]
    Record { uri: AtUri, cid: Cid },
    #[serde(rename = "com.atproto.admin.defs#repoBlobRef", rename_all = "camelCase")]
    Blob {
        did: Did,
        cid: Cid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record_uri: Option<AtUri>,
    },
}

/// `com.atproto.admin.defs#statusAttr`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StatusAttr {
    pub(super) applied: bool,
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
}

impl StatusAttr {
    pub(super) fn of(reference: Option<String>) -> Self {
        Self { applied: reference.is_some(), reference }
    }
}

/// The repository and the path that a record's URI names.
pub(super) fn record_of(uri: &AtUri) -> Result<(Did, RepoPath), XrpcError> {
    let path = uri
        .collection()
        .zip(uri.rkey())
        .and_then(|(collection, rkey)| format!("{collection}/{rkey}").parse::<RepoPath>().ok());
    let did = uri.authority().parse::<Did>().ok();
    did.zip(path)
        .ok_or_else(|| XrpcError::invalid(format!("{uri} is not the URI of a record, with the DID of its repository")))
}

pub(super) fn not_found() -> XrpcError {
    XrpcError::named("NotFound", "Subject not found")
}
