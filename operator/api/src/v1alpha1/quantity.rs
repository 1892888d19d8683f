//! Amounts, as Kubernetes writes them, and the bounds of maps that hold amounts or labels.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An amount of bytes, for example `10Gi`. Kept as written: `1.5Gi` and `1536Mi` are equal amounts and different texts, so compare
/// amounts, not texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": 32,
            "pattern": "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$",
        })
    }
}

/// A duration: a whole number and its unit.
pub(crate) const DURATION: &str = "^[1-9][0-9]{0,8}(s|m|h|d)$";

/// The time between two runs of a job, for example `5m`: 1 second to 30 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interval(pub String);

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        duration((1, "1s"), (30 * 86_400, "30d"))
    }
}

/// How long the lease of a job is valid, for example `60s`: 3 seconds to 1 hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lease(pub String);

impl JsonSchema for Lease {
    fn schema_name() -> Cow<'static, str> {
        "Lease".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        duration((3, "3s"), (3_600, "1h"))
    }
}

/// The schema of a duration between two others, each given in seconds and as people write it.
fn duration((least, from): (u32, &str), (most, to): (u32, &str)) -> Schema {
    let unit = "(self.endsWith('d') ? 86400 : self.endsWith('h') ? 3600 : self.endsWith('m') ? 60 : 1)";
    let seconds = format!("int(self.substring(0, size(self) - 1)) * {unit}");
    json_schema!({
        "type": "string",
        "minLength": 2,
        "maxLength": 16,
        "pattern": DURATION,
        "x-kubernetes-validations": [{
            // What the pattern refuses has no number.
            "rule": format!("!self.matches('{DURATION}') || ({seconds} >= {least} && {seconds} <= {most})"),
            "messageExpression": format!("'\"' + self + '\"; allowed: {from} to {to}'"),
        }],
    })
}

/// An amount of a resource. Of an exponent two digits: the API server takes minutes for amounts like `1e999999999`.
const AMOUNT: &str = "^[0-9]{1,18}(\\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?$";

/// Longest name of a resource or label: a prefix of 253 characters, a slash and a name of 63.
const LONGEST_NAME: u32 = 317;

/// The schema of requests and limits of a container. That of Kubernetes bounds neither their number nor their length, and whatever a
/// tenant may store, the operator has to read.
pub(crate) fn resources(_: &mut SchemaGenerator) -> Schema {
    let amounts = |what: &str| {
        json_schema!({
            "type": "object",
            "nullable": true,
            "description": what,
            "maxProperties": 16,
            "additionalProperties": {
                "x-kubernetes-int-or-string": true,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "maxLength": 32,
                "pattern": AMOUNT,
            },
            "x-kubernetes-validations": [{
                "rule": format!("self.all(name, size(name) <= {LONGEST_NAME})"),
                "message": format!("names of resources have at most {LONGEST_NAME} characters"),
            }],
        })
    };
    json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "limits": amounts("Amounts that the container may not exceed, for example `memory: 1Gi`."),
            "requests": amounts("Amounts that the container is given at least, for example `cpu: 500m`."),
        },
    })
}

/// The schema of labels: at most 16, with the lengths of Kubernetes.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63},
        "x-kubernetes-validations": [{
            "rule": format!("self.all(name, size(name) <= {LONGEST_NAME})"),
            "message": format!("names of labels have at most {LONGEST_NAME} characters"),
        }],
    })
}

/// The same schema for labels that have to be there: at least one.
pub(crate) fn some_labels(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = labels(generator);
    schema.remove("nullable");
    schema.insert("minProperties".into(), 1.into());
    schema
}
