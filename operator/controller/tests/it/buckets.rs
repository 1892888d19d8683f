//! A tenant can leave buckets behind, and only as many as its class allows.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use operator_api::{ClaimOwner, PdsBucketClaim, PdsBucketClaimSpec};
use operator_controller::kinds::pds_instance::component::bucket_limit::claim_name;
use operator_object_store::bucket_name;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};
use super::home::Home;
use super::s3;

fn claims(world: &World) -> Api<PdsBucketClaim> {
    Api::all(world.client.clone())
}

/// The buckets that count for a namespace.
async fn counted(world: &World) -> Vec<String> {
    let all = claims(world).list(&ListParams::default()).await.unwrap();
    let own = all.items.into_iter().filter(|claim| claim.spec.owner.namespace == world.namespace);
    let mut buckets: Vec<_> = own.map(|claim| claim.spec.bucket).collect();
    buckets.sort();
    buckets
}

/// Of SQLite, so that it has a bucket and nothing else to wait for.
fn spec(class: &str, name: &str, more: Value) -> Value {
    let mut spec = json!({
        "hostname": format!("{name}.test"), "className": class, "database": {"sqlite": {}}, "blobStore": {"s3": {}},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// F1 of the sixth attack: nothing that a tenant may delete is what counts.
#[tokio::test]
async fn buckets_of_deleted_instances_count_until_they_are_gone() {
    let world = World::new("hoard").await;
    let other = world.neighbour().await;
    let class = world.class(json!({"limits": {"bucketsPerNamespace": 2}})).await;
    let mut left = Vec::new();
    for name in ["one", "two"] {
        world.create(name, spec(&class, name, json!({}))).await.unwrap();
        left.push(super::harness::bucket(&world.condition(name, "BlobStoreReady", "True", "AsExpected").await));
        world.delete(name).await;
        // Whoever may write Secrets has Kubernetes delete them, with the instance as their owner.
        for secret in ["keys", "s3"] {
            world.api::<Secret>().delete(&format!("{name}-{secret}"), &DeleteParams::default()).await.unwrap();
        }
    }
    left.sort();
    world.create("three", spec(&class, "three", json!({"deletionPolicy": {"blobs": "Delete"}}))).await.unwrap();
    let pds = world.condition("three", "BlobStoreReady", "False", "LimitExceeded").await;
    let why = format!(
        "PdsClass {class:?} allows 2 buckets for namespace {} (spec.limits.bucketsPerNamespace), and it has 2: {};",
        world.namespace,
        left.join(", ")
    );
    assert!(message(&pds, "BlobStoreReady").starts_with(&why), "{}", message(&pds, "BlobStoreReady"));
    world.condition("three", "Stalled", "True", "LimitExceeded").await;
    let third = bucket_name(None, &world.namespace, "three");
    assert!(!s3::exists(&third).await && !s3::user_exists(&third).await);
    assert_eq!(counted(&world).await, left);

    // Another namespace has its own, and an instance of before takes its bucket back.
    other.create("one", spec(&class, "one", json!({}))).await.unwrap();
    other.condition("one", "BlobStoreReady", "True", "AsExpected").await;

    // The limit is raised; a bucket that is deleted with its user counts no more.
    world.class(json!({"limits": {"bucketsPerNamespace": 3}})).await;
    world.condition("three", "BlobStoreReady", "True", "AsExpected").await;
    assert_eq!(counted(&world).await.len(), 3);
    world.delete("three").await;
    assert!(!s3::exists(&third).await && !s3::user_exists(&third).await);
    assert_eq!(counted(&world).await, left);
    for bucket in left {
        s3::delete(&bucket).await;
    }
}

/// All at once: each looks before the others have theirs.
#[tokio::test]
async fn of_many_instances_at_once_as_many_get_a_bucket_as_the_class_allows() {
    let world = World::new("rush").await;
    let class = world.class(json!({"limits": {"bucketsPerNamespace": 2}})).await;
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        world.create(name, spec(&class, name, json!({"deletionPolicy": {"blobs": "Delete"}}))).await.unwrap();
    }
    let mut got = 0;
    for name in names {
        let pds = eventually("the operator has decided", async || {
            let pds = world.api::<operator_api::PdsInstance>().get(name).await.ok()?;
            let conditions = &pds.status.as_ref()?.conditions;
            let found = conditions.iter().find(|found| found.type_ == "BlobStoreReady")?;
            (found.status == "True" || found.reason == "LimitExceeded").then(|| found.status == "True")
        })
        .await;
        got += usize::from(pds);
    }
    assert_eq!((got, counted(&world).await.len()), (2, 2));
    for name in names {
        world.delete(name).await;
    }
    assert_eq!(counted(&world).await, Vec::<String>::new());
}

/// An upgrade from a release without claims, and a claim that somebody deleted although its instance exists.
#[tokio::test]
async fn a_bucket_in_use_is_claimed_again_and_is_never_refused() {
    let world = World::new("again").await;
    let class = world.class(json!({"limits": {"bucketsPerNamespace": 1}})).await;
    world.create("one", spec(&class, "one", json!({}))).await.unwrap();
    let bucket = super::harness::bucket(&world.condition("one", "BlobStoreReady", "True", "AsExpected").await);
    let claim = claims(&world).list(&ListParams::default()).await.unwrap();
    let claim = claim.into_iter().find(|claim| claim.spec.bucket == bucket).unwrap();
    assert_eq!((claim.spec.user.as_str(), claim.spec.class_name.as_str()), (bucket.as_str(), class.as_str()));
    claims(&world).delete(&claim.name_any(), &DeleteParams::default()).await.unwrap();
    eventually("it is claimed again", async || {
        let found = claims(&world).get_opt(&claim.name_any()).await.ok()??;
        (found.uid() != claim.uid()).then_some(())
    })
    .await;
    world.condition("one", "BlobStoreReady", "True", "AsExpected").await;
    s3::delete(&bucket).await;
}

/// A purge by the platform, and an instance that ended before its bucket was made.
#[tokio::test]
async fn claims_whose_bucket_and_user_are_gone_are_freed_and_others_stay() {
    let world = World::new("purge").await;
    let home = Home::new(&world, json!({})).await;
    let made = async |bucket: &str| {
        let owner = ClaimOwner { namespace: world.namespace.clone(), name: "gone".into(), uid: "1".into() };
        let (bucket, user) = (bucket.to_owned(), bucket.to_owned());
        let spec = PdsBucketClaimSpec { bucket, user, class_name: home.class.clone(), endpoint: None, owner };
        let claim = PdsBucketClaim::new(&claim_name(&spec), spec);
        claims(&world).create(&PostParams::default(), &claim).await.unwrap().name_any()
    };
    let (none, there) = (format!("none-{}", world.namespace), format!("there-{}", world.namespace));
    s3::admin().create_bucket().bucket(&there).send().await.unwrap();
    let names = [made(&none).await, made(&there).await];
    let _process = home.start(None).await;
    eventually("the claim is freed", async || claims(&world).get_opt(&names[0]).await.ok()?.is_none().then_some(()))
        .await;
    assert!(claims(&world).get_opt(&names[1]).await.unwrap().is_some(), "its bucket is there");
    s3::delete(&there).await;
    claims(&world).delete(&names[1], &DeleteParams::default()).await.unwrap();
}

/// The sweep looked at the object store and freed a claim that an instance had begun to use meanwhile: its bucket counted no more.
#[tokio::test]
async fn a_claim_that_an_instance_takes_up_while_the_sweep_looks_is_not_freed() {
    let world = World::new("swept").await;
    let bucket = bucket_name(None, &world.namespace, "one");
    // What the sweep asks last: whether the gateway knows the user.
    let mut service = s3::Pause::before_the_answer_to(&format!("Credential={bucket}/")).await;
    let home = Home::new(&world, json!({"objectStore": {"endpoint": service.endpoint()}})).await;
    let owner = ClaimOwner { namespace: world.namespace.clone(), name: "one".into(), uid: "1".into() };
    let (user, class_name) = (bucket.clone(), home.class.clone());
    let claimed = PdsBucketClaimSpec { bucket: bucket.clone(), user, class_name, endpoint: None, owner };
    let claim = PdsBucketClaim::new(&claim_name(&claimed), claimed);
    let claim = claims(&world).create(&PostParams::default(), &claim).await.unwrap();
    let _process = home.start(None).await;
    service.asked().await;

    let delete = json!({"deletionPolicy": {"blobs": "Delete"}});
    world.create("one", spec(&home.class, "one", delete)).await.unwrap();
    // The watch shows instances in the order of their creation: when the second one is looked at, the first one is known.
    let spec = json!({"hostname": "two.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("two", spec).await.unwrap();
    world.condition("two", "KeysReady", "True", "AsExpected").await;
    service.let_go();
    world.condition("one", "BlobStoreReady", "True", "AsExpected").await;
    let after = claims(&world).get_opt(&claim.name_any()).await.unwrap();
    assert_eq!(after.and_then(|claim| claim.uid()), claim.uid());
    world.delete("one").await;
    assert_eq!(counted(&world).await, Vec::<String>::new());
}
