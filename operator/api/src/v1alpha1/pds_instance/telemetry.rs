//! What the pods tell about their work: logs and traces.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::super::{SecretKey, rule};

/// A part of all, from 0 to 1.
const PART: &str = "^(0([.][0-9]{1,9})?|1([.]0{1,9})?)$";

/// What the pods write to their logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// `Json` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<LogFormat>,
    /// A level, or a list of levels by module, for example `info,pds_server::mail=debug`; `info` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub level: Option<String>,
    /// Which lines about successful reads are written; all if absent. Errors and procedures always have a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<LogSample>,
    /// Statements of the database that take at least so many milliseconds have a line; 200 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub slow_query_ms: Option<i32>,
}

/// Which lines about successful reads (GET) are written. Each tells for how many requests it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogSample {
    /// One in so many of each route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub one_in: Option<i32>,
    /// The part of the lines by method, for example `com.atproto.sync.getBlob: "0.01"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "parts")]
    pub methods: Option<BTreeMap<String, String>>,
}

/// The schema of parts by method.
fn parts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 12, "pattern": PART},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, size(name) <= 317)",
            "message": "names of methods have at most 317 characters",
        }],
    })
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for a terminal.
    Text,
}

/// Where the pods send traces, with OTLP. Without an endpoint they send none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    /// URL of the collector, for example `http://collector.monitoring.svc:4318`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("traces.endpoint"))]
    pub endpoint: Option<String>,
    /// The key of a Secret that holds the headers of the requests, `NAME=VALUE` separated by commas, for example a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_secret: Option<SecretKey>,
    /// The name of the service in the traces; `NAMESPACE/NAME` of the instance if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), pattern("^[a-zA-Z0-9._/-]+$"))]
    pub service_name: Option<String>,
    /// Selects the requests that are traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
    /// The share of requests that samplers with a ratio trace, from `0` to `1`, for example `0.05`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), pattern(PART))]
    pub ratio: Option<String>,
}

/// Selects the requests that are traced, in the words of OpenTelemetry. With `ParentBased` the `traceparent` header of the client decides, if it sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sampler {
    /// Traces every request.
    AlwaysOn,
    /// Traces no request.
    AlwaysOff,
    /// Traces the share of requests that `ratio` says.
    TraceIdRatio,
    /// Traces every request, unless the client says otherwise.
    ParentBasedAlwaysOn,
    /// Traces the requests of which the client says so.
    ParentBasedAlwaysOff,
    /// Traces the share of requests that `ratio` says, unless the client says otherwise.
    ParentBasedTraceIdRatio,
}
