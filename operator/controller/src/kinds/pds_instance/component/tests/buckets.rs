//! How many buckets a namespace may have.

use super::*;
use crate::kinds::pds_instance::component::bucket_limit::{USUAL, claim_name};

fn claimed(bucket: &str, instance: &str) -> Arc<PdsBucketClaim> {
    let owner = ClaimOwner { namespace: "ns".into(), name: instance.into(), uid: "1".into() };
    let spec = PdsBucketClaimSpec {
        bucket: bucket.into(),
        user: bucket.into(),
        class_name: "standard".into(),
        endpoint: None,
        owner,
    };
    PdsBucketClaim::new(&claim_name(&spec), spec).into()
}

fn is_asked(plan: &Plan) -> bool {
    plan.steps.iter().any(|(_, step)| matches!(step, Step::EnsureBucket { .. }))
}

/// A world just before its bucket is claimed.
fn before(limit: Value) -> World {
    let mut world = World::new(json!({"hostname": "demo.test"}));
    world.class["spec"]["limits"] = limit;
    while !world.plan().steps.iter().any(|(_, step)| matches!(step, Step::ClaimBucket { .. })) {
        let plan = world.plan();
        assert!(!is_asked(&plan), "no bucket is made before it is claimed");
        world.carry_out(&plan);
        if world.reason(ConditionType::BlobStoreReady) == Reason::LimitExceeded {
            break;
        }
    }
    world
}

#[test]
fn a_bucket_is_claimed_before_it_is_made() {
    let mut world = before(json!({}));
    let plan = world.plan();
    assert!(!is_asked(&plan));
    let Some((_, Step::ClaimBucket { claim, limit })) =
        plan.steps.iter().find(|(_, step)| matches!(step, Step::ClaimBucket { .. }))
    else {
        unreachable!("a claim")
    };
    assert_eq!((claim.bucket.as_str(), *limit), (claim.user.as_str(), Some(USUAL)));
    assert_eq!((claim.class_name.as_str(), claim.owner.name.as_str()), ("standard", "demo"));
    assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::WaitingForBucket);
    world.carry_out(&plan);
    assert!(is_asked(&world.plan()));
}

#[test]
fn a_namespace_with_as_many_buckets_as_it_may_have_gets_no_further_one() {
    let mut world = World::new(json!({"hostname": "demo.test"}));
    world.class["spec"]["limits"] = json!({"bucketsPerNamespace": 2});
    world.observed.bucket_claims = vec![claimed("ns-old-b", "old"), claimed("ns-older-a", "older")];
    for _ in 0..8 {
        let plan = world.plan();
        assert!(!is_asked(&plan));
        world.carry_out(&plan);
    }
    let verdict = world.verdict(ConditionType::BlobStoreReady);
    assert_eq!((verdict.reason, verdict.good), (Reason::LimitExceeded, false));
    let start = "PdsClass \"standard\" allows 2 buckets for namespace ns (spec.limits.bucketsPerNamespace), and it has 2: ns-old-b, ns-older-a;";
    assert!(verdict.message.starts_with(start), "{}", verdict.message);
    world.class["spec"]["limits"] = json!({"bucketsPerNamespace": 3});
    world.settle();
    assert_eq!(world.observed.bucket_claims.len(), 3);
}

/// After an upgrade from a release without claims, or after somebody deleted one.
#[test]
fn a_bucket_in_use_is_claimed_however_many_there_are_and_goes_on() {
    let mut world = World::settled(json!({"hostname": "demo.test"}));
    world.class["spec"]["limits"] = json!({"bucketsPerNamespace": 1});
    world.observed.bucket_claims = vec![claimed("ns-old", "old"), claimed("ns-older", "older")];
    assert!(world.verdict(ConditionType::BlobStoreReady).good);
    let plan = world.plan();
    let unlimited = |step: &Step| matches!(step, Step::ClaimBucket { limit: None, .. });
    assert!(plan.steps.iter().any(|(_, step)| unlimited(step)));
    world.carry_out(&plan);
    assert!(world.plan().steps.is_empty() && world.observed.bucket_claims.len() == 3);
}

/// A tenant can write the note of the bucket onto a Secret `NAME-keys` of his own.
#[test]
fn a_note_of_a_bucket_is_no_way_around_the_limit() {
    let mut world = before(json!({"bucketsPerNamespace": 1}));
    let Some((_, Step::ClaimBucket { claim, .. })) =
        world.plan().steps.into_iter().find(|(_, step)| matches!(step, Step::ClaimBucket { .. }))
    else {
        unreachable!("a claim")
    };
    world.observed.bucket_claims = vec![claimed("ns-old", "old")];
    let mut content = Content::clone(world.observed.keys.as_ref().unwrap());
    content.metadata.annotations.get_or_insert_default().insert(keys::BUCKET.into(), claim.bucket.clone());
    world.observed.keys = Some(content.into());
    assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::LimitExceeded);
    assert!(!is_asked(&world.plan()));
}

#[test]
fn claims_of_one_bucket_in_two_namespaces_or_classes_have_two_names() {
    let spec = claimed("bucket", "a").spec.clone();
    let mut other = spec.clone();
    other.owner.namespace = "other".into();
    let mut class = spec.clone();
    class.class_name = "other".into();
    let names = [&spec, &other, &class].map(claim_name);
    assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
    assert!(names.iter().all(|name| name.len() <= 63));
    let mut renamed = spec.clone();
    renamed.owner.name = "b".into();
    assert_eq!(claim_name(&renamed), names[0], "an instance that takes a bucket over keeps its claim");
}
