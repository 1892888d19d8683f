//! Names of objects, and the labels by which they are found.

use std::collections::{BTreeMap, BTreeSet};

use operator_api::RESERVED_SUFFIXES;
use serde_json::json;

use super::*;

/// Everything that an instance comes to consist of, Secrets and the Jobs that ask for versions too: kind and name.
fn objects(name: &str) -> Vec<(String, Value)> {
    let mut found = BTreeMap::new();
    for (_, template) in every_kind() {
        let mut world = World::of(name, template.class.clone(), serde_json::to_value(&template.pds.spec).unwrap());
        (world.access, world.observed.references) = (template.access.clone(), template.observed.references.clone());
        world.settle();
        world.change_class(json!({"images": {"postgres": "postgres:untold"}}));
        for _ in 0..3 {
            let plan = world.plan();
            world.carry_out(&plan);
            found.extend(world.objects.clone());
        }
    }
    let secret = |name: String| (("Secret".to_owned(), name.clone()), json!({"metadata": {"name": name}}));
    found.extend([keys::secret_name(name), name::postgres(name), blobs::secret_name(name)].map(secret));
    found.retain(|(kind, _), _| kind != "Pod");
    found.into_iter().map(|((kind, _), json)| (kind, json)).collect()
}

/// What is left of a name without the digits of a hash at its end.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((rest, hash)) if hash.len() == 10 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => rest,
        _ => name,
    }
}

/// What the rule of the kind says about a name, by hand.
fn accepted(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let edges = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    let suffix = |name: &str| RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    letters && edges && name.len() <= 40 && !suffix(name) && !suffix(without_hash(name))
}

#[test]
fn names_are_the_instances_or_end_in_a_reserved_suffix() {
    for name in ["a", "demo", &"n".repeat(40)] {
        let all = objects(name);
        let kinds: BTreeSet<_> = all.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds.len(), 10, "{kinds:?}");
        for (kind, json) in &all {
            let child = name_of(json);
            assert!(child.len() <= 63, "{kind} {child}");
            let stem = without_hash(child);
            let reserved = RESERVED_SUFFIXES.iter().any(|suffix| stem.strip_suffix(suffix) == Some(name));
            assert!(child == name || reserved || child == format!("data-{name}-pg-0"), "{kind} {child}");
        }
    }
}

#[test]
fn no_two_instances_have_a_child_of_the_same_kind_and_name() {
    let mut names = BTreeSet::from([
        "a".to_owned(),
        "a-b".to_owned(),
        "data-a".to_owned(),
        "data-a-pg-0".to_owned(),
        "pg".to_owned(),
    ]);
    for stem in ["a", "data-a"] {
        for suffix in RESERVED_SUFFIXES {
            for end in ["", "-0", "-b", "-0123456789", "-012345678", "-012345678g", "x", "-0123456789-0"] {
                names.insert(format!("{stem}{suffix}{end}"));
            }
        }
    }
    // The children of an instance are names that a second one could want.
    names.extend(objects("a").iter().map(|(_, json)| name_of(json).to_owned()));
    let refused: Vec<_> = names.iter().filter(|name| !accepted(name)).cloned().collect();
    assert!(refused.contains(&"a-pg".to_owned()) && refused.contains(&"a-config-0123456789".to_owned()));
    names.retain(|name| accepted(name));
    assert!(names.len() > 50 && names.contains("a-pg-b") && names.contains("a-pg-0"));
    let mut holders: BTreeMap<(String, String), String> = BTreeMap::new();
    let templates = objects("a");
    for name in &names {
        // Hashes differ between instances or not: the worst is that they are the same.
        for (kind, json) in &templates {
            let child = name_of(json);
            let child = match child.strip_prefix("data-a") {
                Some(rest) => format!("data-{name}{rest}"),
                None => format!("{name}{}", child.strip_prefix('a').unwrap()),
            };
            if let Some(other) = holders.insert((kind.clone(), child.clone()), name.clone()) {
                assert_eq!(&other, name, "{kind} {child}");
            }
        }
    }
}

#[test]
fn objects_are_found_by_labels_of_this_project_alone() {
    for (kind, json) in objects("demo").iter().filter(|(kind, _)| kind != "Secret") {
        let labels = &json["metadata"]["labels"];
        assert!(
            labels[labels::INSTANCE] == "demo" && labels[labels::COMPONENT].is_string(),
            "{kind} {}",
            name_of(json)
        );
        assert_eq!(labels[labels::MANAGED_BY_LABEL], labels::MANAGED_BY);
        let text = json.to_string();
        assert!(
            !text.contains("app.kubernetes.io/instance"),
            "GitOps tools track objects by it: {kind} {}",
            name_of(json)
        );
        for selector in selectors(json) {
            for key in keys_of(&selector) {
                assert!(
                    [labels::INSTANCE, labels::COMPONENT].contains(&key.as_str()),
                    "{kind} {}: {key}",
                    name_of(json)
                );
            }
        }
    }
}

/// Every selector below a value that is not empty.
fn selectors(json: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match json {
        Value::Object(fields) => {
            for (key, value) in fields {
                // A `namespaceSelector` finds namespaces, which are nobody's objects here.
                let is_selector = ["selector", "podSelector", "labelSelector"].contains(&key.as_str());
                if is_selector { found.push(value.clone()) } else { found.extend(selectors(value)) }
            }
        }
        Value::Array(items) => found.extend(items.iter().flat_map(selectors)),
        _ => {}
    }
    found
}

fn keys_of(selector: &Value) -> Vec<String> {
    let Some(fields) = selector.as_object() else { return Vec::new() };
    if !fields.contains_key("matchLabels") && !fields.contains_key("matchExpressions") {
        return fields.keys().cloned().collect();
    }
    let labels = selector["matchLabels"].as_object().into_iter().flat_map(|labels| labels.keys().cloned());
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    labels.chain(expressions.map(|found| found["key"].as_str().unwrap().to_owned())).collect()
}
