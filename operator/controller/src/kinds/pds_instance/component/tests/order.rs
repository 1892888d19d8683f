//! What waits for what, and what goes on although something is wrong.

use operator_runtime::ownership::Lifetime;
use serde_json::json;

use super::*;

const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "Job"];

type Change = fn(&mut World);

fn earlier(uid: &str) -> Value {
    json!({"metadata": {"ownerReferences": [{"apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance",
        "name": "demo", "uid": uid, "controller": true}]}})
}

fn failed(world: &mut World, reason: Reason) {
    world.observed.bucket.as_mut().unwrap().seen = Seen::Failed(Verdict::bad(reason, "no"));
}

#[test]
fn nothing_is_made_before_the_hostname_is_claimed() {
    for (kind, world) in every_kind().into_iter().filter(|(kind, _)| *kind != "tls") {
        let plan = world.plan();
        assert_eq!((titles(&plan), steps(&plan)), (Vec::new(), vec!["Claim".to_owned()]), "{kind}");
        let mut taken = world;
        let owner = ClaimOwner { namespace: "ns".into(), name: "other".into(), uid: "o".into() };
        let spec = PdsHostnameClaimSpec { hostname: "demo.test".into(), owner };
        taken.observed.claims.insert("demo.test".into(), PdsHostnameClaim::new("c", spec).into());
        let plan = taken.plan();
        assert_eq!((titles(&plan), steps(&plan)), (Vec::new(), vec!["Claim".to_owned()]), "{kind}");
        let verdict = taken.verdict(ConditionType::HostnameClaimed);
        assert_eq!(verdict.reason, Reason::HostnameTaken);
        assert!(verdict.message.contains("ns/other"), "{}", verdict.message);
    }
}

/// Two instances that ask for the same domains never hold one each: both take them in the same order.
#[test]
fn domains_are_claimed_in_one_order_and_those_that_are_held_are_left_out() {
    let domains = json!({"handleDomains": [{"domain": "c.test"}, {"domain": "a.test"}]});
    let mut world = World::new(domains);
    let claimed = |world: &World| {
        let plan = world.plan();
        assert_eq!(titles(&plan), Vec::<String>::new());
        match &plan.steps[..] {
            [(_, Step::Claim { domains, .. })] => domains.clone(),
            other => unreachable!("{other:?}"),
        }
    };
    assert_eq!(claimed(&world), ["a.test", "c.test", "demo.test"]);
    let owner = ClaimOwner { namespace: "ns".into(), name: "demo".into(), uid: "pds-uid".into() };
    let spec = PdsHostnameClaimSpec { hostname: "a.test".into(), owner };
    world.observed.claims.insert("a.test".into(), PdsHostnameClaim::new("c", spec).into());
    assert_eq!(claimed(&world), ["c.test", "demo.test"]);
    world.carry_out(&world.plan());
    assert!(world.verdict(ConditionType::HostnameClaimed).good);
    let owner = ClaimOwner { namespace: "ns".into(), name: "other".into(), uid: "o".into() };
    let spec = PdsHostnameClaimSpec { hostname: "a.test".into(), owner };
    world.observed.claims.insert("a.test".into(), PdsHostnameClaim::new("c", spec).into());
    let verdict = world.verdict(ConditionType::HostnameClaimed);
    assert_eq!(verdict.reason, Reason::HostnameTaken);
    assert!(verdict.message.starts_with("spec.handleDomains: \"a.test\""), "{}", verdict.message);
}

#[test]
fn each_part_waits_for_those_before_it() {
    for (kind, mut world) in every_kind() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let (plan, observed) = (world.plan(), world.observed());
            let off = world.wanted().unwrap().network.is_none();
            let policies = world.all("NetworkPolicy").count();
            for title in titles(&plan) {
                let kind_of = title.split(' ').nth(1).unwrap_or_default();
                if WORKLOADS.contains(&kind_of) {
                    assert!(off || policies > 0, "{kind}: {title} before the policies");
                    assert!(observed.keys.is_some(), "{kind}: {title} before the keys");
                }
                if kind_of == "Deployment" {
                    let wanted = world.wanted().unwrap();
                    assert!(!wanted.has_postgres() || observed.postgres_secret.is_some(), "{kind}");
                    assert!(wanted.is_sqlite() || world.all("Job").next().is_some(), "{kind}");
                    let provisioned = matches!(wanted.blobs, super::super::super::wanted::Blobs::Provisioned { .. });
                    assert!(!provisioned || observed.access().is_some(), "{kind}");
                    let credential = observed.s3_secret.is_some() || wanted.uses_role();
                    assert!(!provisioned || credential, "{kind}");
                }
                seen.insert(kind_of.to_owned());
            }
            world.carry_out(&plan);
            world.kubernetes();
        }
        assert!(seen.contains("Deployment"), "{kind}");
    }
}

/// A policy under the same name that somebody else made closes nothing.
#[test]
fn no_pod_starts_behind_the_policies_of_somebody_else() {
    for name in ["demo", "demo-migrate", "demo-pg"] {
        let mut world = World::new(json!({}));
        let metadata = json!({"name": name, "namespace": "ns", "uid": "x", "labels": labels::all("demo", "network")});
        world.put("NetworkPolicy", json!({"metadata": metadata}));
        for _ in 0..10 {
            let mut plan = world.plan();
            plan.writes
                .retain(|(_, write)| !matches!(write, Write::Create(m) if m.kind == "NetworkPolicy" && m.name == name));
            world.carry_out(&plan);
            world.kubernetes();
        }
        assert!(WORKLOADS.iter().all(|kind| world.all(kind).count() == 0), "{name}");
        assert!(
            titles(&world.plan()).contains(&format!("create NetworkPolicy {name}")),
            "so that it is refused and said"
        );
    }
}

#[test]
fn a_gate_that_closes_later_touches_no_pod() {
    let scenes: [(Reason, Change); 4] = [
        (Reason::KeysMismatch, |world| world.observed.keys = Some(own(keys_content("demo", '2'), "demo"))),
        (Reason::KeySecretMissing, |world| world.observed.keys = None),
        (Reason::BucketNotOwned, |world| failed(world, Reason::BucketNotOwned)),
        (Reason::CredentialsInvalid, |world| world.observed.admin = None),
    ];
    for (reason, close) in scenes {
        let mut world = World::settled(json!({}));
        close(&mut world);
        world.spec(json!({"replicas": 3, "identity": {"invites": "Open"}}));
        let plan = world.plan();
        assert!(plan.verdicts.iter().any(|(_, verdict)| verdict.reason == reason), "{reason}: {:?}", plan.verdicts);
        assert!(!titles(&plan).iter().any(|title| title.ends_with("Deployment demo")), "{reason}");
        assert!(!titles(&plan).iter().any(|title| title.starts_with("delete")), "{reason}");
        assert_eq!(plan.facts.is_rolled_out, None, "{reason}: nobody compared");
        assert!(world.verdict(ConditionType::WorkloadAvailable).good, "{reason}: the pods go on serving");
    }
}

#[test]
fn an_s3_service_that_does_not_answer_stops_no_change() {
    for mut world in every_kind().into_iter().filter(|(kind, _)| ["smallest", "role"].contains(kind)).map(|(_, w)| w) {
        world.settle();
        failed(&mut world, Reason::BlobStoreUnavailable);
        world.spec(json!({"replicas": 3}));
        assert!(titles(&world.plan()).contains(&"apply Deployment demo".to_owned()));
        world.advance(2);
        assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::BlobStoreUnavailable);
        assert!(world.verdict(ConditionType::WorkloadAvailable).good);
    }
}

#[test]
fn a_service_that_never_answered_gets_no_pods() {
    let mut world = World::new(json!({}));
    for _ in 0..12 {
        let plan = world.plan();
        world.carry_out(&plan);
        world.kubernetes();
        if world.observed.bucket.is_some() {
            failed(&mut world, Reason::BlobStoreUnavailable);
        }
    }
    assert_eq!(world.all("Deployment").count(), 0);
    world.observed.bucket.as_mut().unwrap().age = Duration::from_secs(21);
    assert_eq!(steps(&world.plan()), ["EnsureBucket"]);
}

#[test]
fn only_objects_of_the_component_and_the_instance_are_pruned() {
    let mut world = World::settled(json!({}));
    let base = |kind: &str, name: &str, component: &str| {
        let mut json = json!({"metadata": {"name": name, "namespace": "ns", "uid": name,
            "labels": labels::all("demo", component)}});
        merge(&mut json, &earlier("pds-uid"));
        (kind.to_owned(), json)
    };
    let kept = [
        base("PersistentVolumeClaim", "planted-owner", "pds"),
        base("PersistentVolumeClaim", "planted-owner-pg", "postgres"),
        base("Pod", "no-right", "network"),
        base("ConfigMap", "other-component", "elsewhere"),
        base("Service", "network-makes-no-services", "network"),
    ];
    for (kind, json) in kept {
        world.put(&kind, json);
    }
    for (name, owner) in [("predecessors", "earlier"), ("strangers", "")] {
        let (kind, mut json) = base("Service", name, "pds");
        merge(
            &mut json,
            &if owner.is_empty() { json!({"metadata": {"ownerReferences": null}}) } else { earlier(owner) },
        );
        world.put(&kind, json);
    }
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    let (kind, json) = base("Service", "old", "pds");
    world.put(&kind, json);
    let (kind, json) = base("Job", "old-migration", "migrate");
    world.put(&kind, json);
    assert_eq!(titles(&world.plan()), ["delete Job old-migration", "delete Service old"]);
    world.edit("Service", "old", json!({"metadata": {"deletionTimestamp": "2023-01-01T00:00:00Z"}}));
    assert_eq!(titles(&world.plan()), ["delete Job old-migration"]);
}

#[test]
fn old_certificates_stay_while_old_pods_do() {
    let mut class = class();
    merge(&mut class, &json!({"spec": {"caBundle": pem().0}}));
    let mut world = World::of("demo", class, json!({}));
    world.settle();
    let old = name_of(&world.only("ConfigMap", "demo-config-")).to_owned();
    world.change_class(json!({"caBundle": pem().0}));
    // The bucket is looked at anew first.
    let plan = world.plan();
    world.carry_out(&plan);
    let plan = world.plan();
    assert!(!titles(&plan).iter().any(|title| title.starts_with("delete")), "{:?}", titles(&plan));
    world.carry_out(&plan);
    // The pods are being replaced.
    world.edit("Deployment", "demo", json!({"status": {"updatedReplicas": 1, "replicas": 3}}));
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    world.kubernetes();
    assert_eq!(titles(&world.plan()), [format!("delete ConfigMap {old}")]);
}

#[test]
fn an_object_of_a_predecessor_is_not_written() {
    let mut world = World::settled(json!({}));
    for (kind, name) in [("Deployment", "demo"), ("Service", "demo"), ("StatefulSet", "demo-pg")] {
        let mut world = world.clone();
        world.edit(kind, name, earlier("earlier"));
        world.spec(json!({"replicas": 3}));
        let written = titles(&world.plan());
        assert!(written.contains(&format!("create {kind} {name}")), "{written:?}");
        assert!(
            !written.contains(&format!("apply {kind} {name}")) && !written.contains(&format!("delete {kind} {name}"))
        );
    }
    world.edit("Deployment", "demo", earlier("earlier"));
    assert!(!world.verdict(ConditionType::WorkloadAvailable).good, "its pods are not this instance's");
}

#[test]
fn the_bucket_moves_when_it_is_found_there() {
    let mut world = World::settled(json!({}));
    let spec = |world: &World| {
        let (kind, name) = ("Deployment", "demo");
        world.get(kind, name)["spec"]["template"]["spec"]["containers"][0]["env"].clone()
    };
    let before = spec(&world);
    world.change_class(json!({"objectStore": {"endpoint": "http://new.test:7070"}}));
    assert_eq!(steps(&world.plan()), ["FindBucket"]);
    world.advance(3);
    let verdict = world.verdict(ConditionType::BlobStoreReady);
    assert_eq!(verdict.reason, Reason::ObjectStoreChanged);
    let words = ["http://new.test:7070", "http://s3.test:7070", "owner.json"];
    assert!(words.iter().all(|word| verdict.message.contains(word)), "{}", verdict.message);
    assert_eq!(spec(&world), before);
    world.spec(json!({"replicas": 3}));
    assert!(titles(&world.plan()).contains(&"apply Deployment demo".to_owned()), "everything else goes on");
    world.settle();
    world.observed.bucket.as_mut().unwrap().seen = Seen::Owned;
    world.settle();
    assert!(world.verdict(ConditionType::BlobStoreReady).good);
    assert_ne!(spec(&world), before);
}

/// Without an endpoint the bucket is at Amazon, and a class that moves away gives no empty bucket.
#[test]
fn a_bucket_at_amazon_moves_when_it_is_found_too() {
    let (_, mut world) = every_kind().into_iter().find(|(kind, _)| *kind == "aws").unwrap();
    world.settle();
    world.change_class(json!({"objectStore": {"endpoint": "http://s3.test:7070"}}));
    assert_eq!(steps(&world.plan()), ["FindBucket"]);
    assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::ObjectStoreChanged);
}

#[test]
fn a_bucket_that_the_instance_brings_is_read_and_nothing_is_made() {
    let (_, mut world) = every_kind().into_iter().find(|(kind, _)| *kind == "given").unwrap();
    world.settle();
    assert!(world.observed.bucket.is_none() && world.observed.s3_secret.is_none());
    let container = &world.get("Deployment", "demo")["spec"]["template"]["spec"]["containers"][0];
    let from: Vec<_> =
        container["env"].as_array().unwrap().iter().map(|env| &env["valueFrom"]["secretKeyRef"]["name"]).collect();
    assert!(from.contains(&&json!("blobs")) && !from.contains(&&json!("demo-s3")));
    world.observed.given = None;
    assert_eq!(world.wanted().unwrap_err().reason, Reason::CredentialsInvalid);
}

#[test]
fn a_role_needs_no_keys_and_stays_while_nobody_can_be_asked() {
    let (_, mut world) = every_kind().into_iter().find(|(kind, _)| *kind == "role").unwrap();
    world.settle();
    let annotation =
        |world: &World| world.get("ServiceAccount", "demo-pds")["metadata"]["annotations"][labels::ROLE_ARN].clone();
    assert_eq!(annotation(&world), "arn:aws:iam::1:role/demo");
    assert!(world.observed.s3_secret.is_none());
    let env = world.get("Deployment", "demo")["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
    assert!(!env.contains("ACCESS_KEY"), "{env}");
    failed(&mut world, Reason::BlobStoreUnavailable);
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    world.observed.bucket = None;
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    world.access = Access::Role { arn: "arn:aws:iam::1:role/other".into() };
    world.settle();
    assert_eq!(annotation(&world), "arn:aws:iam::1:role/other");
}

#[test]
fn a_secret_of_somebody_else_is_not_replaced() {
    let mut world = World::new(json!({}));
    let planted = content("demo-s3", "x", &[("accessKeyId", "victim"), ("secretAccessKey", "</Secret><Role>admin")]);
    world.observed.s3_secret = Some(planted.into());
    world.advance(12);
    assert!(world.observed.bucket.is_none(), "the S3 service is not asked for anything");
    assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::ObjectNotOwned);
    assert_eq!(world.all("Deployment").count(), 0);
}

#[test]
fn keys_are_made_once() {
    let mut world = World::settled(json!({}));
    world.observed.keys = None;
    assert_eq!(world.reason(ConditionType::KeysReady), Reason::KeySecretMissing);
    assert!(world.plan().steps.is_empty());
    // Without the status the volume tells that there is data.
    world.pds.status = None;
    assert_eq!(world.reason(ConditionType::KeysReady), Reason::KeySecretMissing);
    assert!(world.plan().steps.is_empty());
    // Other keys are told by the note on the Secret.
    let mut world = World::settled(json!({}));
    world.pds.status = None;
    let mut keys = keys_content("demo", '2');
    keys.metadata.annotations = world.observed.keys.as_ref().unwrap().metadata.annotations.clone();
    world.observed.keys = Some(own(keys, "demo"));
    assert_eq!(world.reason(ConditionType::KeysReady), Reason::KeysMismatch);
}

#[test]
fn data_has_no_owner_and_everything_else_has() {
    for (kind, mut world) in every_kind() {
        for _ in 0..20 {
            let plan = world.plan();
            for (_, write) in &plan.writes {
                let (Write::Create(manifest) | Write::Apply(manifest)) = write else { continue };
                let owners = manifest.json["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
                let is_data = manifest.kind == "PersistentVolumeClaim";
                assert_eq!(owners, usize::from(!is_data), "{kind}: {}", manifest.title());
                assert_eq!(manifest.lifetime == Lifetime::Data, is_data, "{kind}: {}", manifest.title());
            }
            world.carry_out(&plan);
            world.kubernetes();
        }
    }
}
