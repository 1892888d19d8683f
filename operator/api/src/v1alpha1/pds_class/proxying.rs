//! How the servers of a class pass requests on to other services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::{Quantity, quantity};

/// How the servers of a class pass requests on to other services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proxying {
    /// Maximum time until a service begins to answer, for example `10s`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub headers_timeout: Option<String>,
    /// Maximum time between two parts of an answer, for example `30s`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub body_timeout: Option<String>,
    /// The largest answer, for example `10Mi`, which it is if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_response: Option<Quantity>,
    /// How often a query is sent again if the connection fails before an answer; 0 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub max_retries: Option<i32>,
    /// Maximum number of requests per pod that are being passed on at the same time; if absent, a quarter of the connections, at most 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub calls_per_pod: Option<i32>,
    /// Whether services that offer HTTP/2 with TLS are asked that way; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// Whether compressed answers are asked for also where the PDS may change them; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer_compressed: Option<bool>,
}
