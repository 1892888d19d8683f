//! Whoever changes instances all the time slows down itself.

use std::sync::Arc;
use std::time::Instant;

use kube::api::Api;
use operator_api::{PdsHostnameClaim, PdsInstance};
use operator_controller::kinds::pds_instance::component::hostname::claim_name;
use operator_controller::options::Options;
use serde_json::{Value, json};

use super::harness::{World, eventually};
use super::home::Home;
use super::operator::Process;
use super::rights;
use super::wire::Gate;

/// As many reconciliations of one instance may follow each other, and then one every two seconds.
const BURST: usize = 100;
const EDITS: usize = 500;

/// How often the shared operator has written the status of the restless instance.
fn statuses(world: &World) -> usize {
    world.traffic().iter().filter(|line| line.ends_with("/pdsinstances/wild/status")).count()
}

/// P1 of the ninth attack: each of 48 edits a second was reconciled, and every neighbour waited.
#[tokio::test]
async fn an_instance_that_changes_all_the_time_is_reconciled_now_and_then() {
    let world = World::new("restless").await;
    let other = world.neighbour().await;
    let _node = other.run_pods();
    world.create("wild", json!({"hostname": "wild.test", "className": "nowhere"})).await.unwrap();
    world.condition("wild", "ClassAccepted", "False", "ClassNotFound").await;
    let began = Instant::now();
    let mut last = None;
    for number in 0..EDITS {
        let email = json!({"identity": {"contactEmail": format!("{number}@b.test")}});
        last = world.edit("wild", email).await.unwrap().metadata.generation;
        if number == EDITS / 2 {
            other.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
        }
    }
    eventually("the last edit is seen", async || {
        let status = world.api::<PdsInstance>().get("wild").await.ok()?.status?;
        (status.observed_generation == last).then_some(())
    })
    .await;
    let (told, took) = (statuses(&world), began.elapsed());
    let most = BURST + usize::try_from(took.as_secs()).unwrap() / 2 + 2;
    assert!(told <= most, "{told} in {took:?}");
    other.ready("lite").await;
}

/// Instances that want hostnames of which none is free.
const WAITING: usize = 4;

/// Edits the waiting instances for as long as it is polled.
async fn edit_all(world: &World) {
    for number in 0.. {
        for instance in 0..WAITING {
            let name = format!("v{instance}");
            world.edit(&name, json!({"identity": {"contactEmail": format!("{number}@b.test")}})).await.unwrap();
        }
    }
}

/// C1 of the twelfth attack: each of the edits claimed a hostname that is another's, in the turn of the whole cluster, and a neighbour with nine domains
/// waited for 54 seconds.
#[tokio::test]
async fn a_claim_comes_while_instances_of_another_namespace_wait_for_hostnames() {
    let world = World::new("crowd").await;
    let other = world.neighbour().await;
    let home = Home::new(&world, json!({"domains": [".test"]})).await;
    let options =
        Options { namespaces: vec![world.namespace.clone(), other.namespace.clone()], ..home.options().clone() };
    rights::grant(&world.client, &home.namespace, &options.namespaces).await;
    let process = Process::begin(Arc::new(Gate::new(&rights::user(&home.namespace), None)), options);
    let lite = |hostname: String| json!({"hostname": hostname, "className": home.class, "database": {"sqlite": {}}});
    for number in 0..WAITING {
        let (gone, hostname) = (format!("g{number}"), world.hostname(&format!("h{number}")));
        world.create_exactly(&gone, lite(hostname.clone())).await.unwrap();
        world.condition(&gone, "KeysReady", "True", "AsExpected").await;
        // Its keys are kept, and so is its hostname.
        world.delete(&gone).await;
        let waiting = format!("v{number}");
        world.create_exactly(&waiting, lite(hostname)).await.unwrap();
        world.condition(&waiting, "HostnameClaimed", "False", "HostnameTaken").await;
    }
    let asked = || process.gate.traffic("/pdshostnameclaims").iter().filter(|line| line.starts_with("POST ")).count();
    let before = asked();
    let domain = |number: usize| json!({"domain": other.hostname(&format!("d{number}"))});
    let mut spec = lite(other.hostname("pds"));
    spec["handleDomains"] = (0..8).map(domain).collect::<Vec<_>>().into();
    let neighbour = async {
        other.create_exactly("lite", spec).await.unwrap();
        other.condition("lite", "HostnameClaimed", "True", "AsExpected").await
    };
    tokio::select! {
        _ = neighbour => {}
        () = edit_all(&world) => unreachable!("it goes on for ever"),
    }
    assert_eq!(asked() - before, 9, "whoever waits for a hostname that is another's claims nothing");
}

/// The claim that is in the way goes while others wait for the hostname, again and again.
#[tokio::test]
async fn of_hostnames_that_come_and_go_one_instance_has_each() {
    let world = World::new("passing").await;
    let other = world.neighbour().await;
    let class = world.class(json!({"domains": [".test"]})).await;
    let claims = Api::<PdsHostnameClaim>::all(world.client.clone());
    let spec = |first: &str, second: &str| {
        let handles: Vec<Value> = [first, second].iter().map(|name| json!({"domain": world.hostname(name)})).collect();
        json!({
            "hostname": world.hostname(first), "className": class, "handleDomains": handles, "database": {"sqlite": {}},
        })
    };
    world.create_exactly("one", spec("a", "b")).await.unwrap();
    world.condition("one", "HostnameClaimed", "True", "AsExpected").await;
    other.create_exactly("two", spec("c", "b")).await.unwrap();
    other.condition("two", "HostnameClaimed", "False", "HostnameTaken").await;
    let held = |name: &str| claim_name(&world.hostname(name));
    for (holder, heir, name, heir_name, own) in
        [(&world, &other, "one", "two", "a"), (&other, &world, "two", "one", "c")]
    {
        let domains = |names: &[&str]| {
            let all: Vec<Value> = names.iter().map(|name| json!({"domain": world.hostname(name)})).collect();
            json!({"handleDomains": all})
        };
        holder.edit(name, domains(&[own])).await.unwrap();
        heir.condition(heir_name, "HostnameClaimed", "True", "AsExpected").await;
        assert_eq!(claims.get(&held("b")).await.unwrap().spec.owner.name, heir_name);
        holder.edit(name, domains(&[own, "b"])).await.unwrap();
        holder.condition(name, "HostnameClaimed", "False", "HostnameTaken").await;
    }
}
