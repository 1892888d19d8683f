//! What the API server refuses by itself, and what it says: field, value, what is allowed.

use kube::api::{Api, Patch, PatchParams, PostParams};
use operator_api::{PdsClass, PdsInstance};
use serde_json::{Value, json};

use super::harness::World;

async fn refused(world: &World, name: &str, spec: Value, why: &str) {
    let error = world.create_exactly(name, spec.clone()).await.unwrap_err().to_string();
    assert!(error.contains(why), "{spec}: {error}");
}

async fn accepted(world: &World, name: &str, spec: Value) {
    world.create_exactly(name, spec.clone()).await.unwrap_or_else(|error| panic!("{spec}: {error}"));
}

#[tokio::test]
async fn contradictions_are_refused() {
    let world = World::new("schema").await;
    let with = |change: Value| {
        let mut spec = json!({"hostname": "a.test"});
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        spec
    };
    let both = with(json!({"database": {"sqlite": {}, "postgres": {}}}));
    let kinds = "allowed: exactly one of postgres, external, sqlite";
    refused(&world, "bad", both, &format!("spec.database: postgres sqlite; {kinds}")).await;
    let none = with(json!({"database": {}}));
    refused(&world, "bad", none, &format!("spec.database: none; {kinds}")).await;
    let stores = "allowed: exactly one of s3, disk";
    refused(&world, "bad", with(json!({"blobStore": {}})), &format!("spec.blobStore: none; {stores}")).await;
    let both = with(json!({"database": {"sqlite": {}}, "blobStore": {"s3": {}, "disk": {}}}));
    refused(&world, "bad", both, &format!("spec.blobStore: s3 disk; {stores}")).await;

    let disk = |database: Value| with(json!({"database": database, "blobStore": {"disk": {}}}));
    let external = json!({"external": {"uriSecret": {"name": "a", "key": "b"}}});
    let why = |engine: &str| format!("spec.blobStore: disk, with database {engine}; allowed: disk with sqlite, s3");
    refused(&world, "bad", with(json!({"blobStore": {"disk": {}}})), &why("postgres")).await;
    refused(&world, "bad", disk(external), &why("external")).await;
    accepted(&world, "disk", disk(json!({"sqlite": {}}))).await;

    let pods = |replicas: i32| with(json!({"database": {"sqlite": {}}, "replicas": replicas}));
    refused(&world, "bad", pods(2), "spec.replicas: more than 1; allowed with database.sqlite: 0, 1").await;
    accepted(&world, "none", pods(0)).await;
    accepted(&world, "one", pods(1)).await;
    accepted(&world, "many", with(json!({"replicas": 100}))).await;
    refused(&world, "bad", with(json!({"replicas": 101})), "less than or equal to 100").await;
    refused(&world, "bad", json!({"hostname": "NoName"}), "spec.hostname: Invalid value: \"NoName\"").await;
    let error = world.edit("one", json!({"identity": {"invites": "Maybe"}})).await.unwrap_err().to_string();
    let why = "spec.identity.invites: Unsupported value: \"Maybe\": supported values: \"Required\", \"Open\"";
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn what_the_pds_would_refuse_is_refused_before() {
    let world = World::new("typed").await;
    let spec = |change: Value| {
        let mut spec = json!({"hostname": "a.test", "paused": true});
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        spec
    };
    for (field, bad, why) in [
        ("crawl", "31d", "\"31d\"; allowed: 1s to 30d"),
        ("crawl", "721h", "\"721h\"; allowed: 1s to 30d"),
        ("mails", "5", "spec.jobs.mails"),
        ("mails", "0s", "spec.jobs.mails"),
        ("mails", "1h30m", "spec.jobs.mails"),
        ("lease", "2s", "\"2s\"; allowed: 3s to 1h"),
        ("lease", "61m", "\"61m\"; allowed: 3s to 1h"),
    ] {
        refused(&world, "bad", spec(json!({"jobs": {field: bad}})), why).await;
    }
    let jobs = json!({"lease": "60m", "crawl": "30d", "mails": "1s", "healthCheck": "720h"});
    accepted(&world, "jobs", spec(json!({"jobs": jobs}))).await;
    let rates = |rate: Value| spec(json!({"limits": {"rateLimits": rate}}));
    for (change, field) in [
        (json!({"identity": {"invitesSince": "yesterday, about noon"}}), "spec.identity.invitesSince"),
        (json!({"identity": {"recoveryDidKey": "did:plc:abcdefghijklmnop"}}), "spec.identity.recoveryDidKey"),
        (json!({"limits": {"rateLimits": {"admin": {"burst": 0}}}}), "spec.limits.rateLimits.admin.burst"),
        (json!({"records": {"allow": ["thing"]}}), "spec.records.allow[0]"),
        (json!({"records": {"maxBytes": {"*": 0}}}), "spec.records.maxBytes"),
        (json!({"network": {"egressTo": [{"podLabels": {}, "ports": [1]}]}}), "podLabels"),
        (json!({"network": {"egressTo": [{"podLabels": {"a": "b"}, "ports": []}]}}), "ports"),
    ] {
        refused(&world, "bad", spec(change), field).await;
    }
    let records = json!({"allow": ["*", "com.*", "app.example.thing"], "maxBytes": {"app.example.*": 1}});
    accepted(&world, "records", spec(json!({"records": records}))).await;
    accepted(&world, "rates", rates(json!({"unauthenticated": {"perMinute": 60, "burst": 5}}))).await;
    accepted(&world, "since", spec(json!({"identity": {"invitesSince": "2026-01-01T00:00:00Z"}}))).await;
}

#[tokio::test]
async fn names_leave_room_and_are_fit_for_services() {
    let world = World::new("names").await;
    let spec = || json!({"hostname": "a.test", "database": {"sqlite": {}}});
    let long = "a".repeat(41);
    let why = format!("metadata.name: \"{long}\"; allowed: at most 40 characters");
    refused(&world, &long, spec(), &why).await;
    accepted(&world, &"a".repeat(40), spec()).await;
    for name in ["1st", "a.b"] {
        let why = format!("metadata.name: \"{name}\"; allowed: lowercase letters, digits and hyphens, beginning with");
        refused(&world, name, spec(), &why).await;
    }
    accepted(&world, "a-1", spec()).await;
}

/// F46: the instance `a-pg` would have had the Service of the database of `a` for its own.
#[tokio::test]
async fn names_that_children_have_are_refused() {
    let world = World::new("suffix").await;
    let spec = || json!({"hostname": "a.test", "database": {"sqlite": {}}, "paused": true});
    for suffix in operator_api::RESERVED_SUFFIXES {
        let name = format!("a{suffix}");
        refused(&world, &name, spec(), &format!("metadata.name: \"{name}\"; allowed: names that do not end in")).await;
    }
    for name in ["a-migrate-0123456789", "a-pg-0123456789", "a-config-abcdefabcd"] {
        refused(&world, name, spec(), "because names of other objects do").await;
    }
    for name in ["pg", "a-pgs", "keys-a", "a-pg-012345678", "a-pg-0123456789a", "default"] {
        accepted(&world, name, spec()).await;
    }
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let world = World::new("immutable").await;
    let base = json!({"hostname": "a.test", "database": {"sqlite": {}}, "paused": true});
    accepted(&world, "lite", base).await;
    accepted(&world, "full", json!({"hostname": "a.test", "className": "real", "paused": true})).await;
    accepted(&world, "named", json!({"hostname": "a.test", "blobStore": {"s3": {"bucket": "abc"}}, "paused": true}))
        .await;
    let kind = "the kind is immutable, it is";
    let kms = |id: &str| json!({"keys": {"kms": {"keyId": id, "region": "eu-west-1"}}});
    let in_kms = json!({"hostname": "a.test", "paused": true, "keys": kms("alias/pds")["keys"]});
    accepted(&world, "kms", in_kms).await;
    for (name, change, why) in [
        ("kms", kms("alias/other"), "spec.keys.kms.keyId: \"alias/other\"; immutable, it is \"alias/pds\"".to_owned()),
        ("kms", json!({"keys": null}), "spec.keys.kms.keyId: absent; immutable, it is \"alias/pds\"".into()),
        ("lite", kms("alias/pds"), "spec.keys.kms.keyId: \"alias/pds\"; immutable, it is absent".into()),
        (
            "kms",
            json!({"keys": {"kms": {"region": null}}}),
            "spec.keys.kms.region: absent; needed unless keyId is an ARN".into(),
        ),
        ("lite", json!({"hostname": "b.test"}), "spec.hostname: \"b.test\"; immutable, it is \"a.test\"".to_owned()),
        ("lite", json!({"className": "x"}), "spec.className: \"x\"; immutable, it is absent".into()),
        ("full", json!({"className": "x"}), "spec.className: \"x\"; immutable, it is \"real\"".into()),
        ("full", json!({"className": null}), "spec.className: absent; immutable, it is \"real\"".into()),
        ("lite", json!({"database": null}), format!("spec.database: postgres; {kind} sqlite")),
        ("full", json!({"database": {"sqlite": {}}}), format!("spec.database: sqlite; {kind} postgres")),
        ("lite", json!({"blobStore": {"s3": {}}}), format!("spec.blobStore: s3; {kind} disk")),
        (
            "full",
            json!({"blobStore": {"s3": {"bucket": "abc"}}}),
            "spec.blobStore.s3.bucket: \"abc\"; immutable, it is absent".into(),
        ),
        ("named", json!({"blobStore": null}), "spec.blobStore.s3.bucket: absent; immutable, it is \"abc\"".into()),
        (
            "named",
            json!({"blobStore": {"s3": {"bucket": "abd"}}}),
            "spec.blobStore.s3.bucket: \"abd\"; immutable, it is \"abc\"".into(),
        ),
    ] {
        let error = world.edit(name, change.clone()).await.unwrap_err().to_string();
        assert!(error.contains(&why), "{change}: {error}");
    }
    // To say what is so anyway is no change.
    for (name, same) in [
        ("full", json!({"database": {"postgres": {}}})),
        ("full", json!({"blobStore": {"s3": {}}})),
        ("lite", json!({"blobStore": {"disk": {}}})),
        ("lite", json!({"database": {"sqlite": {"size": "2Gi"}}})),
    ] {
        world.edit(name, same.clone()).await.unwrap_or_else(|error| panic!("{same}: {error}"));
    }
}

#[tokio::test]
async fn addresses_of_a_class_are_urls() {
    let world = World::new("class").await;
    let classes = Api::<PdsClass>::all(world.client.clone());
    let class = |plc: &str, s3: &str| {
        let s3 = json!({"endpoint": s3, "adminSecretName": "a", "provisioner": "Versitygw"});
        let spec = json!({"images": {"pds": "pds:1"}, "plcUrl": plc, "objectStore": s3});
        let class = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass",
            "metadata": {"name": world.namespace}, "spec": spec,
        });
        serde_json::from_value::<PdsClass>(class).unwrap()
    };
    let (good, bad) = ("https://a.test", "ftp://a.test");
    for (class, field) in [(class(bad, good), "spec.plcUrl"), (class(good, bad), "spec.objectStore.endpoint")] {
        let error = classes.create(&PostParams::default(), &class).await.unwrap_err().to_string();
        let why = format!("{field}: \"{bad}\"; allowed: URLs that begin with https:// or http://");
        assert!(error.contains(&why), "{error}");
    }
    classes.create(&PostParams::default(), &class(good, "http://a.test")).await.unwrap();
}

/// F43: with `Static` the administrator's credential lay in the tenant's Secret.
#[tokio::test]
async fn a_provisioner_that_hands_out_the_administrators_credential_does_not_exist() {
    let world = World::new("static").await;
    let store = json!({"endpoint": "http://a.test", "adminSecretName": "a", "provisioner": "Static"});
    let spec = json!({"images": {"pds": "pds:1"}, "plcUrl": "http://a.test", "objectStore": store});
    let class = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass",
        "metadata": {"name": world.namespace}, "spec": spec,
    });
    let classes = Api::<PdsClass>::all(world.client.clone());
    let patch = Patch::Apply(class);
    let error = classes.patch(&world.namespace, &PatchParams::apply("test"), &patch).await.unwrap_err().to_string();
    let why = "spec.objectStore.provisioner: Unsupported value: \"Static\": supported values: \"Versitygw\", \"Aws\", \"Given\"";
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn nothing_is_added_to_a_spec() {
    let world = World::new("asis").await;
    let spec = json!({"hostname": world.hostname("a"), "database": {"sqlite": {}}});
    world.create_exactly("lite", spec.clone()).await.unwrap();
    let pds = world.condition("lite", "KeysReady", "True", "AsExpected").await;
    assert_eq!(serde_json::to_value(&pds.spec).unwrap(), spec);
    let unknown = Patch::Merge(json!({"spec": {"unknown": 1}}));
    let strict = PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..Default::default() };
    let error = world.api::<PdsInstance>().patch("lite", &strict, &unknown).await.unwrap_err().to_string();
    assert!(error.contains("unknown field \"spec.unknown\""), "{error}");
}

/// They become parts of URLs and of pods.
#[tokio::test]
async fn names_of_other_objects_are_names() {
    let world = World::new("refer").await;
    let base = || json!({"hostname": "a.test", "paused": true});
    let fields = |name: &str| {
        let mut specs = Vec::new();
        for (field, change) in [
            ("spec.tls.secretName", json!({"tls": {"secretName": name}})),
            (
                "spec.database.external.uriSecret.name",
                json!({"database": {"external": {"uriSecret": {"name": name, "key": "k"}}}}),
            ),
            ("spec.blobStore.s3.secretName", json!({"blobStore": {"s3": {"secretName": name}}})),
            ("spec.pod.imagePullSecrets[0]", json!({"pod": {"imagePullSecrets": [name]}})),
            ("spec.pod.priorityClassName", json!({"pod": {"priorityClassName": name}})),
            ("spec.className", json!({"className": name})),
            ("spec.database.postgres.storageClassName", json!({"database": {"postgres": {"storageClassName": name}}})),
            ("spec.database.sqlite.storageClassName", json!({"database": {"sqlite": {"storageClassName": name}}})),
        ] {
            let mut spec = base();
            spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            specs.push((field, spec));
        }
        specs
    };
    let long = "a".repeat(254);
    for bad in [
        "?",
        "?watch=true",
        "../../other/secrets/x",
        "a/b",
        "A",
        "-a",
        "a-",
        "a.",
        "a..b",
        "a_b",
        "é",
        " a",
        "a\n",
        "",
        &long,
    ] {
        for (field, spec) in fields(bad) {
            let error = world.create_exactly("bad", spec).await.unwrap_err().to_string();
            assert!(error.contains(field), "{field} {bad:?}: {error}");
        }
    }
    for (number, good) in ["a", "0", "a.b-c.1", "xn--a", &long[..253]].into_iter().enumerate() {
        for (index, (_, spec)) in fields(good).into_iter().enumerate() {
            accepted(&world, &format!("good-{number}-{index}"), spec).await;
        }
    }
    let key = |key: &str| {
        let mut spec = base();
        spec["database"] = json!({"external": {"uriSecret": {"name": "db", "key": key}}});
        spec
    };
    for bad in ["", "a/b", "a b", "é", "?"] {
        refused(&world, "bad", key(bad), "spec.database.external.uriSecret.key").await;
    }
    accepted(&world, "keyed", key("DATABASE_URL.v-1")).await;

    let class = |admin: &str, buckets: i32| {
        let store = json!({"endpoint": "http://a.test", "adminSecretName": admin, "provisioner": "Versitygw"});
        let spec = json!({
            "images": {"pds": "pds:1"}, "plcUrl": "http://a.test", "objectStore": store,
            "limits": {"bucketsPerNamespace": buckets},
        });
        let class = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": world.namespace}, "spec": spec,
        });
        serde_json::from_value::<PdsClass>(class).unwrap()
    };
    let classes = Api::<PdsClass>::all(world.client.clone());
    for (bad, field) in [(class("../x", 1), "adminSecretName"), (class("a", 0), "bucketsPerNamespace")] {
        let error = classes.create(&PostParams::default(), &bad).await.unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    classes.create(&PostParams::default(), &class("s3.admin-1", 1)).await.unwrap();
}
