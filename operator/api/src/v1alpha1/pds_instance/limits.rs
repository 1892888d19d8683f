//! Limits for users of a PDS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Quantity, SecretKey, quantity};

/// Limits for users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The largest blob in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub blob_max_bytes: Option<i64>,
    /// Maximum size of all blobs of one account, for example `10Gi`; no maximum if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_quota: Option<Quantity>,
    /// How long the data of a deleted account is kept, so that an administrator can restore it, for example `30d`; `7d` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub account_delete_grace: Option<String>,
    /// Whether accounts may bring a repository from another server; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_imports: Option<bool>,
    /// The largest repository that an account may bring, for example `1Gi`; 256Mi if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_import_max: Option<Quantity>,
    /// Maximum number of records of a repository that an account brings; 2000000 if absent. Memory of the pods may allow fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub repo_import_max_records: Option<i32>,
    /// Age of the oldest event that a subscriber of the firehose can still ask for, for example `3d`; `1d` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub event_retention: Option<String>,
    /// Maximum number of subscribers of the firehose per pod; 1000 if absent, and never more than half of the connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub subscribers_per_pod: Option<i32>,
    /// Maximum number of connections of clients per pod; if absent, one per 256 KiB of the container's memory limit, at most 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub connections_per_pod: Option<i32>,
    /// Limits on the rate of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limits: Option<RateLimits>,
}

/// Limits on the rate of requests. Several pods count together where the instance has a cache, otherwise each for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// Whether requests beyond the limits are refused; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Requests without a session from one address (IPv6: one /64 network); 600 per minute and 10 at once if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unauthenticated: Option<Rate>,
    /// Requests of one account; 6000 per minute and 50 at once if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated: Option<Rate>,
    /// Requests with the password of the administrator; 60000 per minute and 100 at once if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<Rate>,
    /// Networks whose clients have no limits, for example `192.0.2.0/24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub exempt_networks: Option<Vec<String>>,
    /// The key of a Secret that holds a text: requests with it in the header `x-ratelimit-bypass` have no limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bypass_secret: Option<SecretKey>,
}

/// How many requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Requests per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub per_minute: Option<i32>,
    /// Requests that may arrive at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<i32>,
}
