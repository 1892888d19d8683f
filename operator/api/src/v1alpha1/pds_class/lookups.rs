//! How the servers of a class look up handles, identities and lexicons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::quantity;

/// How the servers of a class look up handles, identities and lexicons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lookups {
    /// DNS servers that are asked for a handle that the cluster's own do not know, for example `9.9.9.9` or `9.9.9.9:53`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 64)))]
    pub backup_name_servers: Option<Vec<String>>,
    /// Maximum time for one handle or DID, for example `3s`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub timeout: Option<String>,
    /// Age after which a known DID document is still used and fetched again, for example `1h`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub documents_stale: Option<String>,
    /// Age after which a known DID document is not used any more, for example `1d`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub documents_max: Option<String>,
    /// Maximum time that a write with `validate: true` waits for the lexicon of its collection, for example `5s`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub lexicon_timeout: Option<String>,
}
