//! A host's own rules for records.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longest name of a collection, with `.*` behind it.
const LONGEST: u32 = 319;

/// A collection, all below a domain, or all. The PDS and the operator know the rules of names better.
const COLLECTION: &str =
    "^([*]|[a-z][a-z0-9-]*([.][a-z0-9][a-z0-9-]*)*([.][*]|[.][a-z0-9][a-z0-9-]*[.][a-zA-Z][a-zA-Z0-9]*))$";

/// Which records the PDS accepts, beside what the protocol asks for. The rules are for new and changed records, never for imports and
/// deletions. A collection is written as `app.example.thing`, all collections below a domain as `app.example.*`, and all as `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordRules {
    /// The only collections that are accepted; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 319), pattern(COLLECTION)))]
    pub allow: Option<Vec<String>>,
    /// Collections that are not accepted, although `allow` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 319), pattern(COLLECTION)))]
    pub deny: Option<Vec<String>>,
    /// Maximum size of a record in bytes, by collection. The smallest number that fits the collection counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "sizes")]
    pub max_bytes: Option<BTreeMap<String, i64>>,
}

/// The schema of sizes by collection, each up to the limit of the protocol.
fn sizes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 256,
        "additionalProperties": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 1_048_576},
        "x-kubernetes-validations": [{
            "rule": format!("self.all(name, size(name) <= {LONGEST})"),
            "message": format!("names of collections have at most {LONGEST} characters"),
        }],
    })
}
