//! What a class allows. What reaches beyond the namespace is closed where the class says nothing.

use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ObjectMeta, Patch, PostParams};
use serde_json::{Value, json};

use super::harness::{World, merge, message};

/// An instance with `change` over the smallest spec; waits for what the class says of it.
async fn verdict(world: &World, name: &str, class: &str, change: Value) -> Result<(), String> {
    let mut spec = json!({"hostname": format!("{name}.test"), "className": class, "database": {"sqlite": {}}});
    merge(&mut spec, change);
    world.create(name, spec).await.unwrap();
    let seen = super::harness::eventually("the class says something", async || {
        let pds = world.api::<operator_api::PdsInstance>().get(name).await.ok()?;
        let found = pds.status?.conditions.into_iter().find(|found| found.type_ == "ClassAccepted")?;
        Some((found.status, found.reason, found.message))
    })
    .await;
    match (seen.0.as_str(), seen.1.as_str()) {
        ("True", "AsExpected") => Ok(()),
        ("False", "NotAllowed") => Err(seen.2),
        _ => panic!("{seen:?}"),
    }
}

#[tokio::test]
async fn closed_where_the_class_says_nothing() {
    let world = World::new("closed").await;
    let class = world.class(json!({})).await;
    let refused = async |name: &str, change: Value, why: &str| {
        let message = verdict(&world, name, &class, change.clone()).await.unwrap_err();
        assert_eq!(message, why.replace("CLASS", &format!("PdsClass {class:?}")), "{change}");
    };
    refused("image", json!({"image": "evil/pds:1.0.0"}), "spec.image: \"evil/pds:1.0.0\"; CLASS allows pds").await;
    let off = json!({"network": {"policy": "Off"}});
    refused("network", off, "spec.network.policy: Off; CLASS allows Enforced only").await;
    let every = json!({"pod": {"tolerations": [{"operator": "Exists"}]}});
    refused("every-taint", every, "spec.pod.tolerations: \"\"; CLASS allows none").await;
    let taint = json!({"pod": {"tolerations": [{"key": "node-role.kubernetes.io/control-plane"}]}});
    let why = "spec.pod.tolerations: \"node-role.kubernetes.io/control-plane\"; CLASS allows none";
    refused("taint", taint, why).await;
    let critical = json!({"pod": {"priorityClassName": "system-node-critical"}});
    let why = "spec.pod.priorityClassName: \"system-node-critical\"; CLASS allows none";
    refused("priority", critical, why).await;
    let relay = json!({"services": {"crawlers": ["https://relay.test"]}});
    refused("services", relay, "spec.services: CLASS lets no instance name services; leave the field out").await;
    let kms = json!({"keys": {"kms": {"keyId": "alias/pds", "region": "eu-west-1"}}});
    let why = "spec.keys.kms.keyId: \"alias/pds\"; CLASS lets no instance have its key in AWS KMS; leave the field out";
    refused("kms", kms, why).await;
    // Open: other versions of the class's image, nodes by label, every domain, every namespace.
    verdict(&world, "version", &class, json!({"image": "pds:2.0.0"})).await.unwrap();
    verdict(&world, "node", &class, json!({"pod": {"nodeSelector": {"disk": "fast"}}})).await.unwrap();
    verdict(&world, "secret", &class, json!({"tls": {"secretName": "any"}})).await.unwrap();
}

#[tokio::test]
async fn a_secret_for_pulling_images_needs_the_labels_of_the_class() {
    let world = World::new("pull").await;
    let class = world.class(json!({"allowed": {"secretLabels": {"aurora": "yes"}}})).await;
    let secrets = world.api::<Secret>();
    let metadata = ObjectMeta { name: Some("registry".into()), ..Default::default() };
    let secret = Secret { metadata, ..Default::default() };
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let pulls = json!({"pod": {"imagePullSecrets": ["registry"]}});
    let why = verdict(&world, "a", &class, pulls.clone()).await.unwrap_err();
    let wanted = "spec.pod.imagePullSecrets: Secret registry lacks the label aurora=yes that its PdsClass asks for";
    assert_eq!(why, wanted);
    let label = Patch::Merge(json!({"metadata": {"labels": {"aurora": "yes"}}}));
    secrets.patch("registry", &Default::default(), &label).await.unwrap();
    verdict(&world, "b", &class, pulls).await.unwrap();
    world.condition("a", "ClassAccepted", "True", "AsExpected").await;
}

#[tokio::test]
async fn open_as_far_as_the_class_says() {
    let world = World::new("open").await;
    let placement = json!({"tolerations": ["a"], "priorityClassNames": ["low"], "nodeLabels": ["disk"]});
    let allowed = json!({
        "imageRepositories": ["r.test/team/*", "r.test/pds@sha256:ab"], "placement": placement, "networkOff": true,
    });
    let class = world.class(json!({"allowed": allowed})).await;
    let check = async |name: &str, change: Value, ok: bool| {
        let found = verdict(&world, name, &class, change.clone()).await;
        assert_eq!(found.is_ok(), ok, "{change}: {found:?}");
    };
    check("a", json!({"image": "r.test/team/pds:1"}), true).await;
    check("b", json!({"image": "r.test/teams/pds:1"}), false).await;
    check("c", json!({"image": "r.test/pds@sha256:ab"}), true).await;
    check("d", json!({"image": "r.test/pds:1"}), false).await;
    check("e", json!({"image": "pds:1.0.0"}), false).await;
    check("f", json!({"network": {"policy": "Off"}}), true).await;
    check("g", json!({"pod": {"tolerations": [{"key": "a", "operator": "Exists"}]}}), true).await;
    check("h", json!({"pod": {"tolerations": [{"key": "a"}, {"key": "b"}]}}), false).await;
    check("i", json!({"pod": {"priorityClassName": "low"}}), true).await;
    check("j", json!({"pod": {"nodeSelector": {"disk": "fast"}}}), true).await;
    check("k", json!({"pod": {"nodeSelector": {"zone": "a"}}}), false).await;
}

#[tokio::test]
async fn domains_are_those_of_the_class_and_below() {
    let world = World::new("domains").await;
    let domain = format!("{}.test", world.namespace);
    let class = world.class(json!({"domains": [domain]})).await;
    verdict(&world, "below", &class, json!({"handleDomains": [{"domain": domain}]})).await.unwrap();
    let handles = json!({"handleDomains": [{"domain": domain}, {"domain": "bank.test"}]});
    let message = verdict(&world, "handles", &class, handles).await.unwrap_err();
    assert!(message.starts_with("spec.handleDomains: \"bank.test\"; PdsClass"), "{message}");
    let spec = json!({"hostname": format!("evil{domain}"), "className": class, "database": {"sqlite": {}}});
    world.create_exactly("suffix", spec).await.unwrap();
    let pds = world.condition("suffix", "Stalled", "True", "NotAllowed").await;
    assert!(super::harness::message(&pds, "Stalled").starts_with("spec.hostname: \"evil"));
}

#[tokio::test]
async fn a_class_takes_the_namespaces_that_it_selects() {
    let world = World::new("select").await;
    let _node = world.run_pods();
    let selector = json!({"matchLabels": {"team": "a"}});
    let class = world.class(json!({"allowed": {"namespaces": selector}})).await;
    let message = verdict(&world, "lite", &class, json!({})).await.unwrap_err();
    assert!(message.contains("does not take instances of this namespace"), "{message}");
    let namespaces = Api::<Namespace>::all(world.client.clone());
    let label = |value: Value| Patch::Merge(json!({"metadata": {"labels": {"team": value}}}));
    namespaces.patch(&world.namespace, &Default::default(), &label(json!("a"))).await.unwrap();
    world.ready("lite").await;
    namespaces.patch(&world.namespace, &Default::default(), &label(json!("b"))).await.unwrap();
    let pds = world.condition("lite", "ClassAccepted", "False", "NotAllowed").await;
    assert!(super::harness::message(&pds, "ClassAccepted").contains("spec.allowed.namespaces"));
}

/// What runs goes on when the class becomes narrower, and so do its network policies.
#[tokio::test]
async fn a_class_that_becomes_narrower_stops_nothing() {
    let world = World::new("narrow").await;
    let _node = world.run_pods();
    let class = world.class(json!({"allowed": {"imageRepositories": ["other/pds"]}})).await;
    verdict(&world, "lite", &class, json!({"image": "other/pds:1"})).await.unwrap();
    world.ready("lite").await;
    let deployments = world.api::<k8s_openapi::api::apps::v1::Deployment>();
    let before = deployments.get("lite").await.unwrap();
    world.class(json!({"allowed": {"imageRepositories": ["pds"]}})).await;
    let pds = world.condition("lite", "ClassAccepted", "False", "NotAllowed").await;
    assert_eq!(message(&pds, "Stalled"), message(&pds, "ClassAccepted"));
    let after = deployments.get("lite").await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
    assert!(world.api::<NetworkPolicy>().get_opt("lite").await.unwrap().is_some());
}
