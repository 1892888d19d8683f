//! What keeps pods from running is told with its cause.

use serde_json::json;

use super::*;

const POD: &str = "demo-5b8c9-x";

fn server(status: Value) -> World {
    let mut world = World::settled(json!({}));
    world.pod_of("Deployment", "demo", POD, status);
    world
}

fn container(state: Value, change: Value) -> Value {
    let mut status =
        json!({"name": "pds", "image": "pds:1", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    merge(&mut status, &change);
    json!({"containerStatuses": [status]})
}

fn unschedulable(ago: i64) -> Value {
    let at = Timestamp::from_second(NOW - ago).unwrap().to_string();
    json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available", "lastTransitionTime": at}]})
}

fn check(world: &World, reason: Reason, words: &[&str]) {
    let verdict = world.verdict(ConditionType::WorkloadAvailable);
    assert_eq!(verdict.reason, reason, "{}", verdict.message);
    words.iter().for_each(|word| assert!(verdict.message.contains(word), "{}", verdict.message));
}

#[test]
fn a_pod_without_a_node() {
    check(&server(unschedulable(5)), Reason::Unschedulable, &[POD, "0/3 nodes"]);
    check(&server(unschedulable(4)), Reason::AsExpected, &["2 of 2"]);
    check(&server(unschedulable(-3600)), Reason::AsExpected, &["2 of 2"]);
}

#[test]
fn an_image_that_cannot_be_pulled() {
    for reason in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"] {
        let state = json!({"waiting": {"reason": reason, "message": "not found"}});
        check(&server(container(state, json!({}))), Reason::ImageUnavailable, &[POD, "pds:1", "not found"]);
    }
}

#[test]
fn a_container_that_cannot_start() {
    let state = json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"demo-s3\" not found"}});
    check(&server(container(state, json!({}))), Reason::PodCrashing, &[POD, "container pds", "demo-s3"]);
}

/// Between two ends a container runs, and the condition stays as it is.
#[test]
fn a_container_that_ends_again_and_again() {
    let at = |ago: i64| Timestamp::from_second(NOW - ago).unwrap().to_string();
    let end = |ago: i64| json!({"terminated": {"exitCode": 3, "message": "first\nlast words", "finishedAt": at(ago)}});
    let last = |ago: i64| json!({"restartCount": 4, "lastState": end(ago)});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    let mut messages = std::collections::BTreeSet::new();
    for world in [
        server(container(waiting, last(100))),
        server(container(json!({"running": {}}), last(100))),
        server(container(end(1), json!({"restartCount": 4}))),
    ] {
        check(&world, Reason::PodCrashing, &[POD, "code 3: last words"]);
        messages.insert(world.verdict(ConditionType::WorkloadAvailable).message);
    }
    assert_eq!(messages.len(), 1, "{messages:?}");
    for (change, why) in [
        (last(601), "it ended long ago"),
        (json!({"restartCount": 1, "lastState": end(1)}), "it ended once"),
        (json!({"ready": true, "restartCount": 4, "lastState": end(1)}), "it is ready"),
    ] {
        let world = server(container(json!({"running": {}}), change));
        assert_eq!(world.reason(ConditionType::WorkloadAvailable), Reason::AsExpected, "{why}");
    }
}

#[test]
fn last_words_are_bounded() {
    let last = json!({"terminated": {"exitCode": 1, "message": "é".repeat(4096)}});
    let state = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let world = server(container(state, json!({"lastState": last})));
    assert!(world.verdict(ConditionType::WorkloadAvailable).message.chars().count() < 700);
}

#[test]
fn labels_alone_do_not_make_a_pod_ours() {
    for owners in [
        json!([]),
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "demo-5b8c9", "uid": "rs"}]),
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "demo-b-5b8c9", "uid": "rs", "controller": true}]),
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "demo-x", "uid": "rs", "controller": true}]),
    ] {
        let mut world = server(unschedulable(60));
        world.edit("Pod", POD, json!({"metadata": {"ownerReferences": owners}}));
        check(&world, Reason::AsExpected, &["2 of 2"]);
    }
    let mut world = server(unschedulable(60));
    world.edit("Pod", POD, json!({"metadata": {"deletionTimestamp": "2023-01-01T00:00:00Z"}}));
    check(&world, Reason::AsExpected, &["2 of 2"]);
}

#[test]
fn pods_that_are_refused() {
    let mut world = World::settled(json!({}));
    let condition = |type_: &str, status: &str, reason: &str| json!({"status": {"conditions": [{"type": type_, "status": status, "reason": reason, "message": "exceeded quota"}]}});
    world.edit("Deployment", "demo", condition("ReplicaFailure", "True", "FailedCreate"));
    check(&world, Reason::PodRefused, &["Deployment demo", "exceeded quota"]);
    world.edit("Deployment", "demo", condition("Progressing", "False", "ProgressDeadlineExceeded"));
    check(&world, Reason::RolloutStuck, &["Deployment demo", "300 s", "2 of 2"]);
    world.pod_of("Deployment", "demo", POD, unschedulable(60));
    check(&world, Reason::RolloutStuck, &["Deployment demo", "0/3 nodes", POD]);
}

#[test]
fn pods_of_a_stateful_set_that_are_refused() {
    let mut world = World::settled(json!({}));
    world.edit("StatefulSet", "demo-pg", json!({"status": {"readyReplicas": 0}}));
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::WaitingForDatabase);
    let uid = world.get("StatefulSet", "demo-pg")["metadata"]["uid"].as_str().unwrap().to_owned();
    world.observed.refusals.insert(uid, "exceeded quota: pods".into());
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict, Verdict::bad(Reason::PodRefused, "StatefulSet demo-pg: exceeded quota: pods"));
    world.pod_of("StatefulSet", "demo-pg", "demo-pg-0", json!({}));
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::WaitingForDatabase, "the pod was made since");
    world.pod_of("StatefulSet", "demo-pg", "demo-pg-0", unschedulable(60));
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::Unschedulable);
}

#[test]
fn a_volume_of_sqlite_that_fills_is_named() {
    let mut world = World::settled(json!({"database": {"sqlite": {}}}));
    world.observed.scrape = Some(crate::scrape::Scrape { data_volume_percent: Some(85), ..Default::default() });
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert!(verdict.good && verdict.reason == Reason::StorageFilling, "{verdict:?}");
    assert!(verdict.message.starts_with("PersistentVolumeClaim ") && verdict.message.contains("85 %"), "{verdict:?}");
}

#[test]
fn a_full_volume_and_a_silent_s3_service_are_named_by_what_pods_tell() {
    let mut world = World::settled(json!({}));
    let scrape = |up: bool, full: bool| crate::scrape::Scrape {
        blob_store_up: Some(up),
        database_full: full,
        ..Default::default()
    };
    world.observed.scrape = Some(scrape(true, true));
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict.reason, Reason::StorageFull);
    assert!(verdict.message.contains("PersistentVolumeClaim data-demo-pg-0"), "{}", verdict.message);
    // 10Gi, of which a log of changes takes a part that nobody counts.
    let filling = |units| crate::scrape::Scrape { database_size: Some(units), ..Default::default() };
    world.observed.scrape = Some(filling(500));
    assert_eq!(world.verdict(ConditionType::DatabaseReady), Verdict::good("PostgreSQL serves"));
    world.observed.scrape = Some(filling(560));
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert!(
        verdict.good && verdict.reason == Reason::StorageFilling && verdict.message.contains("87 %"),
        "{verdict:?}"
    );
    world.observed.scrape = Some(scrape(false, false));
    assert_eq!(world.reason(ConditionType::BlobStoreReady), Reason::BlobStoreUnavailable);
    world.spec(json!({"replicas": 3}));
    assert!(titles(&world.plan()).contains(&"apply Deployment demo".to_owned()), "everything else goes on");
}

fn certificate(crt: &str, key: &str) -> World {
    let (_, mut world) = every_kind().into_iter().find(|(kind, _)| *kind == "tls").unwrap();
    world.observed.references.tls = Some(content("cert", "t", &[("tls.crt", crt), ("tls.key", key)]).into());
    world
}

#[test]
fn certificates() {
    let ((crt, key), (other, _)) = (pem(), pem());
    let good = certificate(&crt, &key);
    assert!(good.verdict(ConditionType::CertificateReady).good);
    assert!(good.plan().facts.certificate_expiry > Some(NOW));
    for (crt, key, words) in [
        (other.as_str(), key.as_str(), "do not match"),
        ("garbage", &key, "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "certificate"),
        (&crt, "garbage", "no private key in PEM"),
        (&crt, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "do not match"),
        ("", "", "no certificate in PEM"),
    ] {
        let verdict = certificate(crt, key).verdict(ConditionType::CertificateReady);
        assert_eq!(verdict.reason, Reason::CertificateInvalid);
        assert!(verdict.message.contains("Secret cert") && verdict.message.contains(words), "{}", verdict.message);
    }
    for (years, word) in [((2001, 2002), "2002-01-01"), ((2101, 2102), "2101-01-01")] {
        let mut world = certificate_of(years);
        let verdict = world.verdict(ConditionType::CertificateReady);
        assert_eq!(verdict.reason, Reason::CertificateInvalid);
        assert!(verdict.message.contains(word), "{}", verdict.message);
        world.advance(8);
        assert_eq!(world.all("Deployment").count(), 0, "no pod starts with it");
    }
    // An instance that runs can be edited, whatever became of its certificate.
    let mut world = certificate(&crt, &key);
    world.settle();
    world.observed.references.tls = certificate_of((2001, 2002)).observed.references.tls;
    world.spec(json!({"replicas": 3}));
    world.settle();
    assert_eq!(world.get("Deployment", "demo")["spec"]["replicas"], 3);
    assert_eq!(world.reason(ConditionType::CertificateReady), Reason::CertificateInvalid);
}

/// With a certificate that is valid from the first of January of one year to that of another.
fn certificate_of((from, to): (i32, i32)) -> World {
    let mut parameters = rcgen::CertificateParams::new(["demo.test".to_owned()]).unwrap();
    (parameters.not_before, parameters.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
    let signer = rcgen::KeyPair::generate().unwrap();
    certificate(&parameters.self_signed(&signer).unwrap().pem(), &signer.serialize_pem())
}

/// Pods keep the URL that they have until the Secret holds one again.
#[test]
fn urls_of_services() {
    let mail = json!({"smtpSecret": {"name": "mail", "key": "url"}, "from": "pds@a.test"});
    let mut world = World::settled(json!({"email": mail, "cache": {"urlSecret": {"name": "redis", "key": "url"}}}));
    assert!(world.verdict(ConditionType::SecretsReady).good);
    let env = |world: &World| world.all("Deployment").next().unwrap().to_string();
    assert!(env(&world).contains("PDS_EMAIL_SMTP_URL") && env(&world).contains("REDIS_URL"));
    let before = env(&world);
    for (field, text, words) in [
        ("email.smtpSecret", "https://a.test", "Secret mail, key url (PDS_EMAIL_SMTP_URL): has a scheme"),
        ("cache.urlSecret", "smtp://a.test", "Secret redis, key url (REDIS_URL): has a scheme"),
    ] {
        let good = world.observed.references.services[field].clone();
        let name = good.metadata.name.clone().unwrap();
        world.observed.references.services.insert(field, content(&name, "other", &[("url", text)]).into());
        let verdict = world.verdict(ConditionType::SecretsReady);
        assert_eq!(verdict.reason, Reason::CredentialsInvalid);
        assert!(verdict.message.contains(words) && !verdict.message.contains(text), "{}", verdict.message);
        world.advance(4);
        assert_eq!(env(&world), before, "{field}");
        world.observed.references.services.insert(field, good);
    }
    let mut by_class = class();
    merge(&mut by_class, &json!({"spec": {"defaults": {"cache": {"urlSecret": {"name": "redis", "key": "url"}}}}}));
    let mut of_class = World::of("demo", by_class, json!({}));
    of_class.observed.references.services.insert("cache.urlSecret", content("redis", "x", &[("url", "?")]).into());
    let message = of_class.verdict(ConditionType::SecretsReady).message;
    let place = "spec.defaults.cache.urlSecret of PdsClass standard: Secret redis, key url (REDIS_URL): is not a URL";
    assert!(message.starts_with(place), "{message}");
    let other = content("mail", "other", &[("url", "smtps://u:p@b.test")]);
    world.observed.references.services.insert("email.smtpSecret", other.into());
    world.advance(4);
    assert_ne!(env(&world), before, "pods start anew with another URL");
}
