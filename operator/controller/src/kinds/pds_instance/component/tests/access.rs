//! Rights follow from what is planned.

use std::collections::BTreeSet;

use super::super::COMPONENTS;
use super::*;
use crate::access::{children, in_cluster, in_namespaces, in_own_namespace};

#[test]
fn what_a_component_plans_is_watched_and_may_be_created_and_changed() {
    let mut planned = BTreeSet::new();
    for (_, mut world) in every_kind().into_iter().chain([("version", super::version::asking(World::new(json!({}))))]) {
        for _ in 0..20 {
            let plan = world.plan();
            for (condition, write) in &plan.writes {
                let (kind, verb) = match write {
                    Write::Create(manifest) => (manifest.kind.to_owned(), "create"),
                    Write::Apply(manifest) => (manifest.kind.to_owned(), "patch"),
                    Write::Delete(condemned) => (condemned.resource.kind.clone(), "delete"),
                };
                let components = COMPONENTS.iter().filter(|component| component.condition() == *condition);
                let mut declared = components.flat_map(|component| component.children());
                let has = declared.any(|child| child.kind == kind && child.verbs.contains(&verb));
                assert!(has, "the component of {condition} plans to {verb} a {kind}");
                planned.insert(kind);
            }
            world.carry_out(&plan);
            world.kubernetes();
        }
    }
    let declared: BTreeSet<_> = children().map(|child| child.kind.to_owned()).collect();
    let handled = ["Pod", "Secret"].map(ToOwned::to_owned).into();
    assert_eq!(declared.difference(&planned).cloned().collect::<BTreeSet<_>>(), handled, "watched and never written");
}

#[test]
fn no_right_is_a_wildcard_and_none_is_given_twice() {
    for rights in [in_namespaces(), in_cluster(), in_own_namespace()] {
        let mut seen = BTreeSet::new();
        for right in rights {
            let words = right.verbs.iter().chain([&right.group, &right.resource]);
            assert!(words.clone().all(|word| !word.contains('*')), "{right:?}");
            assert!(!right.verbs.is_empty() && seen.insert((right.group.clone(), right.resource.clone())), "{right:?}");
            let powerful = ["escalate", "bind", "impersonate", "deletecollection"];
            assert!(!right.verbs.iter().any(|verb| powerful.contains(&verb.as_str())), "{right:?}");
        }
    }
}

#[test]
fn what_is_only_watched_is_not_read_one_by_one() {
    let rights = in_namespaces();
    let pods = rights.iter().find(|right| right.resource == "pods").unwrap();
    assert_eq!(pods.verbs, ["list", "watch"]);
    let roles = ["roles", "clusterroles", "pods/exec", "serviceaccounts/token", "nodes"];
    assert!(!rights.iter().chain(&in_cluster()).any(|right| roles.contains(&right.resource.as_str())));
}
