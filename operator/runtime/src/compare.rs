//! Whether an object has everything that is wanted of it.

use serde_json::Value;

use crate::amount::nanos;

/// The fields below which every text is an amount. The API server rewrites amounts (`1.5Gi` to `1536Mi`), so they are compared as
/// numbers.
const AMOUNTS: [&str; 3] = ["requests", "limits", "sizeLimit"];

/// Whether `live` lacks something that `wanted` says. The server may add fields, not list items.
#[must_use]
pub fn differs(live: &Value, wanted: &Value) -> bool {
    !has_all_of(live, wanted, false)
}

/// Whether two amounts are equal, however they are written. Texts that are no amounts are equal if they are the same text.
#[must_use]
pub fn same_amount(one: &str, other: &str) -> bool {
    one == other || matches!((nanos(one), nanos(other)), (Some(one), Some(other)) if one == other)
}

/// Whether the first amount is greater than the second; false if either is no amount.
#[must_use]
pub fn is_more(one: &str, other: &str) -> bool {
    matches!((nanos(one), nanos(other)), (Some(one), Some(other)) if one > other)
}

/// An amount as a whole number of units, rounded up; nothing for a text that is no amount, or that is too large.
#[must_use]
pub fn whole(amount: &str) -> Option<u64> {
    u64::try_from(nanos(amount)?.div_ceil(1_000_000_000)).ok()
}

/// How much of an amount a number of units is, in percent; nothing if the amount is none, or zero.
#[must_use]
pub fn percent(units: u64, of: &str) -> Option<u8> {
    let whole = nanos(of).filter(|whole| *whole > 0)?;
    let part = u128::from(units).saturating_mul(1_000_000_000).saturating_mul(100);
    u8::try_from((part / whole).min(u128::from(u8::MAX))).ok()
}

/// The same JSON with every amount as a number, so that two ways of writing an amount have one hash.
#[must_use]
pub fn canonical(value: Value) -> Value {
    number_amounts(value, false)
}

fn number_amounts(value: Value, amounts: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let number = |(key, inner): (String, Value)| {
                let inner = number_amounts(inner, amounts || AMOUNTS.contains(&key.as_str()));
                (key, inner)
            };
            Value::Object(fields.into_iter().map(number).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| number_amounts(item, amounts)).collect()),
        Value::String(text) if amounts => {
            nanos(&text).map_or(Value::String(text), |amount| Value::String(amount.to_string()))
        }
        other => other,
    }
}

fn has_all_of(live: &Value, wanted: &Value, amounts: bool) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| match live.get(key) {
            Some(live) => has_all_of(live, wanted, amounts || AMOUNTS.contains(&key.as_str())),
            None => is_empty(wanted),
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| has_all_of(live, wanted, amounts))
        }
        (Value::String(live), Value::String(wanted)) if amounts => same_amount(live, wanted),
        (live, wanted) => live == wanted,
    }
}

/// Whether the server drops such a value on its way.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let wanted = json!({"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}});
        let live =
            json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"a": "b"}, "type": "ClusterIP"}});
        assert!(!differs(&live, &wanted));
    }

    #[test]
    fn a_changed_value_and_an_extra_item_are() {
        let wanted = json!({"spec": {"replicas": 2, "ports": [1]}});
        assert!(differs(&json!({"spec": {"replicas": 3, "ports": [1]}}), &wanted));
        assert!(differs(&json!({"spec": {"replicas": 2, "ports": [1, 2]}}), &wanted));
        assert!(differs(&json!({"spec": {"ports": [1]}}), &wanted));
    }

    #[test]
    fn amounts_are_numbers_and_other_texts_are_not() {
        let requests = |cpu: &str, memory: &str| json!({"requests": {"cpu": cpu, "memory": memory}});
        assert!(!differs(&requests("1", "1536Mi"), &requests("1000m", "1.5Gi")));
        assert!(differs(&requests("2", "1536Mi"), &requests("1000m", "1.5Gi")));
        assert!(differs(&json!({"env": "1"}), &json!({"env": "1000m"})));
        assert!(same_amount("10Gi", "10240Mi") && !same_amount("10Gi", "10G") && !same_amount("x", "y"));
        assert!(is_more("11Gi", "10240Mi") && !is_more("10Gi", "10240Mi") && !is_more("x", "1"));
        assert_eq!((percent(90 << 20, "100Mi"), percent(1, "0"), percent(1, "x")), (Some(90), None, None));
        assert_eq!(percent(u64::MAX, "1"), Some(255));
        assert!(is_more("99999999999999999999999999999Pi", "100Ti"), "a size beyond every limit is over the limit");
    }
}
