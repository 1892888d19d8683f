//! A hostname belongs to one instance of the cluster, as long as its keys exist.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use kube::api::{Api, DeleteParams, ListParams};
use operator_api::{PdsHostnameClaim, PdsInstance};
use operator_controller::kinds::pds_instance::component::hostname::claim_name;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};

fn lite(hostname: &str) -> Value {
    json!({"hostname": hostname, "database": {"sqlite": {}}})
}

async fn claim(world: &World, hostname: &str) -> Option<PdsHostnameClaim> {
    Api::<PdsHostnameClaim>::all(world.client.clone()).get_opt(&claim_name(hostname)).await.unwrap()
}

/// F47.
#[tokio::test]
async fn the_second_instance_of_a_hostname_waits_and_nothing_of_it_is_made() {
    let world = World::new("first").await;
    let other = world.neighbour().await;
    let _node = world.run_pods();
    let hostname = world.hostname("one");
    world.create_exactly("lite", lite(&hostname)).await.unwrap();
    world.ready("lite").await;
    other.create_exactly("late", lite(&hostname)).await.unwrap();
    let pds = other.condition("late", "HostnameClaimed", "False", "HostnameTaken").await;
    let why = format!("spec.hostname: {hostname:?} is held by PdsInstance {}/lite", world.namespace);
    assert!(message(&pds, "HostnameClaimed").starts_with(&why), "{}", message(&pds, "HostnameClaimed"));
    other.condition("late", "Stalled", "True", "HostnameTaken").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(other.api::<Secret>().list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(other.api::<Service>().list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(other.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap().items.is_empty());
    world.ready("lite").await;
    assert_eq!(claim(&world, &hostname).await.unwrap().spec.owner.namespace, world.namespace);
    other.delete("late").await;
    assert_eq!(claim(&world, &hostname).await.unwrap().spec.owner.namespace, world.namespace);
}

#[tokio::test]
async fn a_hostname_is_kept_while_the_keys_of_its_holder_exist_and_passes_on_after() {
    let world = World::new("kept").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let hostname = world.hostname("one");
    world.create_exactly("lite", lite(&hostname)).await.unwrap();
    world.ready("lite").await;
    world.delete("lite").await;
    other.create_exactly("heir", lite(&hostname)).await.unwrap();
    other.condition("heir", "HostnameClaimed", "False", "HostnameTaken").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(claim(&world, &hostname).await.unwrap().spec.owner.name, "lite");

    // Applied again it is the same holder.
    world.create_exactly("lite", lite(&hostname)).await.unwrap();
    world.ready("lite").await;
    world.delete("lite").await;

    world.api::<Secret>().delete("lite-keys", &DeleteParams::default()).await.unwrap();
    other.ready("heir").await;
    let owner = claim(&world, &hostname).await.unwrap().spec.owner;
    assert_eq!((owner.namespace, owner.name.as_str()), (other.namespace.clone(), "heir"));
}

#[tokio::test]
async fn a_hostname_goes_with_the_keys_where_the_policy_says_so() {
    let world = World::new("freed").await;
    let _node = world.run_pods();
    let hostname = world.hostname("one");
    let mut spec = lite(&hostname);
    spec["deletionPolicy"] = json!({"keys": "Delete"});
    world.create_exactly("lite", spec).await.unwrap();
    world.ready("lite").await;
    assert!(claim(&world, &hostname).await.is_some());
    world.delete("lite").await;
    assert!(claim(&world, &hostname).await.is_none());
}

#[tokio::test]
async fn handles_below_the_hostname_of_another_are_refused() {
    let world = World::new("handles").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let hostname = world.hostname("one");
    world.create_exactly("lite", lite(&hostname)).await.unwrap();
    world.ready("lite").await;
    let mut spec = lite(&world.hostname("two"));
    spec["handleDomains"] = json!([{"domain": world.hostname("two")}, {"domain": hostname}]);
    other.create_exactly("late", spec).await.unwrap();
    let pds = other.condition("late", "HostnameClaimed", "False", "HostnameTaken").await;
    let holder = format!("{}/lite", world.namespace);
    let why = format!(
        "spec.handleDomains: {hostname:?} is held by PdsInstance {holder}; choose another, or end that instance and its data"
    );
    assert_eq!(message(&pds, "HostnameClaimed"), why);
    other.edit("late", json!({"handleDomains": null})).await.unwrap();
    other.ready("late").await;
}

/// Whoever serves `alice.D` decides who is the handle `alice.D`, which the server at D gave out.
#[tokio::test]
async fn a_name_below_the_domain_of_another_namespace_is_refused_where_domains_are_limited() {
    let world = World::new("below").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let class = world.class(json!({"domains": [".test"]})).await;
    let hostname = world.hostname("one");
    let spec = |hostname: &str| {
        let mut spec = lite(hostname);
        spec["className"] = json!(class);
        spec
    };
    world.create_exactly("lite", spec(&hostname)).await.unwrap();
    world.ready("lite").await;
    let alice = format!("alice.{hostname}");
    other.create_exactly("late", spec(&alice)).await.unwrap();
    let pds = other.condition("late", "HostnameClaimed", "False", "HostnameTaken").await;
    let why = format!(
        "spec.hostname: {alice:?} is below {hostname:?}, which PdsInstance {}/lite holds with all handles below it; choose another",
        world.namespace
    );
    assert_eq!(message(&pds, "HostnameClaimed"), why);
    assert!(claim(&other, &alice).await.is_none());
    // One's own namespace is one's own affair.
    world.create_exactly("own", spec(&format!("bob.{hostname}"))).await.unwrap();
    world.ready("own").await;
    // The domain is free once its holder and the holder's keys are gone.
    world.delete("lite").await;
    world.api::<Secret>().delete("lite-keys", &Default::default()).await.unwrap();
    other.ready("late").await;
}

/// A name above another's would close to that one what is below its own name.
#[tokio::test]
async fn a_name_above_the_domain_of_another_namespace_is_refused_where_domains_are_limited() {
    let world = World::new("above").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let class = world.class(json!({})).await;
    let spec = |hostname: &str| {
        let mut spec = lite(hostname);
        spec["className"] = json!(class);
        spec
    };
    let (above, earlier) = (world.hostname("one"), world.hostname("two"));
    let (own, team) = (format!("pds.{above}"), format!("pds.{earlier}"));
    for (name, hostname) in [("lite", &own), ("team", &team)] {
        world.create_exactly(name, spec(hostname)).await.unwrap();
        world.ready(name).await;
    }
    // Before the class limits domains nobody asks.
    other.create_exactly("early", spec(&earlier)).await.unwrap();
    other.ready("early").await;
    world.class(json!({"domains": [".test"]})).await;
    other.create_exactly("late", spec(&above)).await.unwrap();
    let pds = other.condition("late", "HostnameClaimed", "False", "HostnameTaken").await;
    let why = format!("spec.hostname: {above:?} is above {own:?}, which PdsInstance {}/lite holds;", world.namespace);
    assert!(message(&pds, "HostnameClaimed").starts_with(&why), "{}", message(&pds, "HostnameClaimed"));
    assert!(claim(&other, &above).await.is_none());
    // What is below one's own name is one's own, whoever holds what is above that.
    world.edit("team", json!({"handleDomains": [{"domain": format!("users.{team}")}]})).await.unwrap();
    eventually("it is claimed", async || claim(&world, &format!("users.{team}")).await).await;
    world.ready("team").await;
}

#[tokio::test]
async fn localhost_is_nobodys() {
    let world = World::new("local").await;
    let _node = world.run_pods();
    for name in ["one", "two"] {
        world.create_exactly(name, lite("localhost")).await.unwrap();
    }
    for name in ["one", "two"] {
        world.ready(name).await;
    }
    assert!(claim(&world, "localhost").await.is_none());
}

/// An instance holds what its spec names, and no more however often the spec changes.
#[tokio::test]
async fn domains_that_are_asked_for_no_more_are_free_at_once() {
    let world = World::new("sprawl").await;
    let _node = world.run_pods();
    let domain = |number: usize| world.hostname(&format!("d{number}"));
    let mut spec = lite(&world.hostname("one"));
    spec["handleDomains"] = json!([{"domain": domain(0)}]);
    world.create_exactly("lite", spec).await.unwrap();
    for number in 1..4 {
        world.ready("lite").await;
        world.edit("lite", json!({"handleDomains": [{"domain": domain(number)}]})).await.unwrap();
        eventually("the new domain is held and the old one is free", async || {
            let (new, old) = (claim(&world, &domain(number)).await, claim(&world, &domain(number - 1)).await);
            (new.is_some() && old.is_none()).then_some(())
        })
        .await;
    }
}

/// A class names the suffix itself: whoever takes it keeps nobody from what is below.
#[tokio::test]
async fn the_domain_of_the_class_is_nobodys_fence() {
    let world = World::new("apex").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let apex = world.hostname("apex");
    let class = world.class(json!({"domains": [apex]})).await;
    for (world, hostname) in [(&world, apex.clone()), (&other, format!("b.{apex}"))] {
        let mut spec = lite(&hostname);
        spec["className"] = json!(class);
        world.create_exactly("lite", spec).await.unwrap();
        world.ready("lite").await;
    }
}

/// Two that come at once: the API server decides.
#[tokio::test]
async fn of_many_at_once_one_gets_the_hostname() {
    let world = World::new("race").await;
    let hostname = world.hostname("one");
    for name in ["a", "b", "c", "d"] {
        world.create_exactly(name, lite(&hostname)).await.unwrap();
    }
    let holder = eventually("one holds it", async || Some(claim(&world, &hostname).await?.spec.owner.name)).await;
    for name in ["a", "b", "c", "d"] {
        let (status, reason) = if name == holder { ("True", "AsExpected") } else { ("False", "HostnameTaken") };
        world.condition(name, "HostnameClaimed", status, reason).await;
    }
}

/// Two names are two claims, so the API server does not decide between one above the other.
#[tokio::test]
async fn of_two_names_one_above_the_other_that_come_at_once_one_is_held() {
    let world = World::new("fence").await;
    let other = world.neighbour().await;
    let class = world.class(json!({"domains": [".test"]})).await;
    for round in 0..6 {
        let above = world.hostname(&format!("team{round}"));
        let below = format!("deep.{above}");
        let name = format!("pds{round}");
        let spec = |hostname: &str| {
            let mut spec = lite(hostname);
            spec["className"] = json!(class);
            spec
        };
        let made = tokio::join!(world.create_exactly(&name, spec(&above)), other.create_exactly(&name, spec(&below)));
        made.0.and(made.1).unwrap();
        let verdict = async |world: &World| {
            eventually("the operator has decided", async || {
                let pds = world.api::<PdsInstance>().get(&name).await.ok()?;
                let conditions = &pds.status.as_ref()?.conditions;
                let found = conditions.iter().find(|condition| condition.type_ == "HostnameClaimed")?;
                (found.reason != "Progressing").then(|| found.reason.clone())
            })
            .await
        };
        let mut verdicts = [verdict(&world).await, verdict(&other).await];
        verdicts.sort();
        assert_eq!(verdicts, ["AsExpected", "HostnameTaken"], "round {round}");
        let held = [claim(&world, &above).await, claim(&world, &below).await];
        assert_eq!(held.iter().flatten().count(), 1, "round {round}");
    }
}

/// After a deletion with the policy `Orphan` the pods of the holder serve the hostname for a while.
#[tokio::test]
async fn a_hostname_is_kept_while_workloads_of_its_holder_exist() {
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::api::Patch;
    let world = World::new("runs").await;
    let other = world.neighbour().await;
    let _nodes = (world.run_pods(), other.run_pods());
    let hostname = world.hostname("one");
    world.create_exactly("lite", lite(&hostname)).await.unwrap();
    world.ready("lite").await;
    let hold = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let deployments = world.api::<Deployment>();
    deployments.patch("lite", &Default::default(), &hold(json!(["test/hold"]))).await.unwrap();
    world.api::<PdsInstance>().delete("lite", &DeleteParams::orphan()).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    world.api::<Secret>().delete("lite-keys", &DeleteParams::default()).await.unwrap();
    other.create_exactly("heir", lite(&hostname)).await.unwrap();
    other.condition("heir", "HostnameClaimed", "False", "HostnameTaken").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(claim(&world, &hostname).await.unwrap().spec.owner.name, "lite");
    deployments.patch("lite", &Default::default(), &hold(json!(null))).await.unwrap();
    other.ready("heir").await;
}
