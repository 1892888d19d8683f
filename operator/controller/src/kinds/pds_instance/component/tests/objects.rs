//! What instances consist of.

use serde_json::json;

use super::*;

fn containers(template: &Value) -> Vec<Value> {
    template["spec"]["containers"].as_array().unwrap().clone()
}

fn settings(world: &World) -> Value {
    let env = &world.get("Deployment", "demo")["spec"]["template"]["spec"]["containers"][0]["env"];
    let pair = |variable: &Value| Some((variable["name"].as_str()?.to_owned(), variable.get("value")?.clone()));
    env.as_array().unwrap().iter().filter_map(pair).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn the_smallest_spec_is_postgres_and_a_bucket() {
    let world = World::settled(json!({}));
    world.get("StatefulSet", "demo-pg");
    world.get("PodDisruptionBudget", "demo");
    world.only("Job", "demo-migrate-");
    assert_eq!(world.get("Deployment", "demo")["spec"]["replicas"], 2);
    let settings = settings(&world);
    assert_eq!(settings["PDS_HOSTNAME"], "demo.test");
    assert!(settings["PDS_BLOBSTORE_S3_BUCKET"].as_str().unwrap().starts_with("ns-demo-"));
    assert!(settings.get("PDS_JWT_SECRET").is_none());
    assert_eq!(world.all("NetworkPolicy").count(), 3);
}

/// What runs and how stands in workloads, which a tenant cannot write; his ConfigMaps and the text of his Secrets choose none of it.
#[test]
fn code_settings_and_addresses_are_in_no_object_that_a_tenant_may_write() {
    let world = World::settled(json!({"identity": {"contactEmail": "$(PDS_JWT_SECRET)@a.test"}}));
    assert_eq!(world.all("ConfigMap").count(), 0);
    for template in world.templates() {
        for container in containers(&template) {
            assert!(container["envFrom"].is_null(), "{container}");
        }
    }
    let settings = settings(&world);
    let url = "postgres://pds:$(DATABASE_PASSWORD)@demo-pg.ns.svc:5432/pds";
    assert_eq!(settings["PDS_DATABASE_URL"], url);
    assert_eq!(settings["PDS_CONTACT_EMAIL_ADDRESS"], "$$(PDS_JWT_SECRET)@a.test", "no variable is put in");
    let postgres = containers(&world.get("StatefulSet", "demo-pg")["spec"]["template"]);
    let script = postgres[0]["command"][2].as_str().unwrap();
    assert!(script.contains("exec postgres -D") && script.contains("image=$$(postgres -V"), "{script}");
}

#[test]
fn sqlite_is_one_pod_with_a_volume() {
    let world = World::settled(json!({"database": {"sqlite": {}}}));
    assert_eq!(world.all("StatefulSet").chain(world.all("Job")).chain(world.all("PodDisruptionBudget")).count(), 0);
    let spec = &world.get("Deployment", "demo")["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    world.get("PersistentVolumeClaim", "demo-data");
}

/// F53: otherwise a node on which no pod of the instance is ready could not be drained.
#[test]
fn the_budget_keeps_ready_pods_only() {
    let world = World::settled(json!({}));
    let budget = &world.get("PodDisruptionBudget", "demo")["spec"];
    assert_eq!((&budget["maxUnavailable"], &budget["unhealthyPodEvictionPolicy"]), (&json!(1), &json!("AlwaysAllow")));
    let template = &world.get("Deployment", "demo")["spec"]["template"];
    for (label, value) in budget["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&template["metadata"]["labels"][label], value, "the budget selects the pods of the PDS");
    }
}

#[test]
fn every_pod_is_restricted() {
    let mut worlds = every_kind();
    worlds.push(("version", super::version::asking(World::new(json!({})))));
    for (kind, mut world) in worlds {
        if kind != "version" {
            world.settle();
        }
        assert!(!world.templates().is_empty());
        for template in world.templates() {
            let pod = &template["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false, "{kind}");
            assert_eq!(pod["enableServiceLinks"], false);
            assert_eq!(pod["serviceAccountName"], "demo-pds");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert!(pod["hostNetwork"].is_null() && pod["hostPID"].is_null() && pod["initContainers"].is_null());
            for container in containers(&template) {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{kind}");
                assert_eq!(context["readOnlyRootFilesystem"], true);
                assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
                assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
                assert!(container["resources"]["requests"].is_object() || container["resources"]["limits"].is_object());
            }
        }
    }
}

/// A namespace may have a LimitRange or a quota of limits, and a container that no field of the spec reaches would never start there.
#[test]
fn the_resources_of_every_container_follow_the_spec() {
    let given = ["201Mi", "202Mi", "203Mi"];
    let [server, job, database] =
        given.map(|memory| json!({"requests": {"memory": memory}, "limits": {"memory": memory}}));
    let pod = json!({"pod": {"resources": server, "migrationResources": job}});
    let postgres = json!({"database": {"postgres": {"resources": database}}});
    let mut worlds = every_kind();
    for (kind, world) in &mut worlds {
        let database = world.pds.spec.database.clone().unwrap_or_default();
        world.spec(pod.clone());
        if database.sqlite.is_none() && database.external.is_none() {
            world.spec(postgres.clone());
        }
        world.settle();
        assert!(!world.templates().is_empty(), "{kind}");
    }
    let mut spec = pod;
    merge(&mut spec, &postgres);
    worlds.push(("version", super::version::asking(World::new(spec))));
    for (kind, world) in worlds {
        for template in world.templates() {
            for container in containers(&template) {
                let memory = ["requests", "limits"].map(|field| container["resources"][field]["memory"].as_str());
                assert!(given.iter().any(|given| memory == [Some(*given); 2]), "{kind}: {container}");
            }
        }
    }
}

/// OpenShift gives every namespace a range of its own and refuses pods that choose.
#[test]
fn a_platform_that_chooses_users_is_asked_for_none() {
    let chooses = |template: &Value| {
        let text = template.to_string();
        ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"].map(|field| text.contains(&format!("{field:?}:")))
    };
    for (run_as, chosen) in [(json!(null), [true, true, true, false]), (json!("Platform"), [false; 4])] {
        let mut worlds = every_kind();
        worlds.iter_mut().for_each(|(_, world)| world.change_class(json!({"runAs": run_as})));
        worlds.iter_mut().for_each(|(_, world)| world.settle());
        let mut asked = World::new(json!({}));
        asked.change_class(json!({"runAs": run_as}));
        worlds.push(("version", super::version::asking(asked)));
        for (kind, world) in worlds {
            assert!(!world.templates().is_empty(), "{kind}");
            for template in world.templates() {
                assert_eq!(chooses(&template), chosen, "{kind}: {template}");
            }
        }
    }
}

/// In a cluster with IPv4 and IPv6 clients of both families are served, and in one with a single family that one.
#[test]
fn every_service_takes_all_address_families_of_the_cluster() {
    for (kind, mut world) in every_kind() {
        world.settle();
        assert!(world.all("Service").count() >= 2, "{kind}");
        for service in world.all("Service") {
            assert_eq!(service["spec"]["ipFamilyPolicy"], "PreferDualStack", "{kind}: {service}");
            assert!(service["spec"]["ipFamilies"].is_null(), "the cluster has the choice");
        }
    }
}

#[test]
fn the_same_spec_gives_the_same_objects() {
    let [first, second] = [(), ()].map(|()| World::settled(json!({})));
    assert_eq!(first.objects, second.objects);
}

#[test]
fn tls_changes_port_and_settings() {
    let (_, mut world) = every_kind().into_iter().find(|(kind, _)| *kind == "tls").unwrap();
    world.settle();
    assert_eq!(world.get("Service", "demo")["spec"]["ports"][0]["port"], 443);
    assert_eq!(settings(&world)["PDS_TLS_CERT_FILE"], "/tls/tls.crt");
    assert_eq!(settings(&world)["PDS_CA_FILE"], name::CA_FILE);
    assert!(world.observed.claims.is_empty(), "localhost is nobody's");
}

#[test]
fn policies_can_be_off_where_the_class_allows_it() {
    let mut world = World::of("demo", open_class(), json!({}));
    world.settle();
    world.spec(json!({"network": {"policy": "Off"}}));
    world.settle();
    assert_eq!(world.all("NetworkPolicy").count(), 0);
    let refusal = World::new(json!({"network": {"policy": "Off"}})).wanted().unwrap_err();
    assert_eq!(refusal.reason, Reason::NotAllowed);
}

#[test]
fn refusals_name_field_value_and_what_is_allowed() {
    let refusal = |spec| World::new(spec).wanted().unwrap_err();
    let found = refusal(json!({"replicas": 4}));
    assert_eq!(found.reason, Reason::LimitExceeded);
    assert_eq!(found.message, "spec.replicas: 4; PdsClass \"standard\" allows at most 3");
    let found = refusal(json!({"handleDomains": [{"domain": "pds.internal"}]}));
    assert_eq!(found.reason, Reason::InvalidSpec);
    assert!(found.message.contains("PDS_SERVICE_HANDLE_DOMAINS"), "{}", found.message);
    for (spec, message) in [
        (json!({"image": "evil:1"}), "spec.image: \"evil:1\"; PdsClass \"standard\" allows pds"),
        (
            json!({"blobStore": {"s3": {"bucket": "abc"}}}),
            "spec.blobStore.s3.bucket: \"abc\"; PdsClass \"standard\" lets no instance name its bucket; leave the field out",
        ),
        (
            json!({"pod": {"tolerations": [{"operator": "Exists"}]}}),
            "spec.pod.tolerations: \"\"; PdsClass \"standard\" allows none",
        ),
        (
            json!({"pod": {"priorityClassName": "system-node-critical"}}),
            "spec.pod.priorityClassName: \"system-node-critical\"; PdsClass \"standard\" allows none",
        ),
    ] {
        let found = refusal(spec);
        assert_eq!((found.reason, found.message.as_str()), (Reason::NotAllowed, message));
    }
}

#[test]
fn a_size_beyond_every_number_is_over_the_limit() {
    let mut class = class();
    merge(&mut class, &json!({"spec": {"limits": {"maxStorage": "100Gi"}}}));
    let size = "99999999999999999999999999999Pi";
    let refusal = World::of("demo", class.clone(), json!({"database": {"postgres": {"size": size}}})).wanted();
    assert_eq!(refusal.unwrap_err().reason, Reason::LimitExceeded);
    merge(&mut class, &json!({"spec": {"limits": {"maxStorage": "5Gi"}}}));
    let wanted = World::of("demo", class, json!({})).wanted().unwrap();
    assert_eq!(wanted.database.volume().unwrap().size, "5Gi", "a spec that says nothing asks for no more than it may");
}

#[test]
fn a_limit_that_is_lowered_refuses_growth_and_stops_nothing() {
    let mut world = World::settled(json!({"replicas": 3, "database": {"postgres": {"size": "10Gi"}}}));
    world.change_class(json!({"limits": {"maxReplicas": 1, "maxStorage": "1Gi"}}));
    assert_eq!(world.wanted().unwrap().complaints, [], "what runs is within its rights");
    let plan = world.plan();
    assert_eq!((titles(&plan), steps(&plan)), (Vec::new(), Vec::new()));
    world.spec(json!({"database": {"postgres": {"size": "20Gi"}}}));
    assert!(world.plan().steps.is_empty());
    let verdict = world.verdict(ConditionType::ClassAccepted);
    assert_eq!(verdict.reason, Reason::LimitExceeded);
    assert!(verdict.message.contains("\"20Gi\"") && verdict.message.contains("\"1Gi\""), "{}", verdict.message);
    world.spec(json!({"replicas": 1}));
    world.settle();
    world.spec(json!({"replicas": 2}));
    let wanted = world.wanted().unwrap();
    assert_eq!((wanted.replicas, wanted.complaints.len()), (1, 2));
}

#[test]
fn pods_start_anew_with_every_secret_that_they_read_and_with_no_other_change() {
    let base = World::settled(json!({"database": {"external": {"uriSecret": {"name": "db", "key": "url"}}}}));
    let postgres = World::settled(json!({}));
    let template = |world: &World| {
        let mut world = world.clone();
        world.settle();
        world.get("Deployment", "demo")["spec"]["template"].clone()
    };
    let changed = |content: &Option<Arc<Content>>, key: &str, value: &str| {
        let mut content = Content::clone(content.as_ref().unwrap());
        content.values.insert(key.into(), value.as_bytes().to_vec()).unwrap();
        Some(Arc::new(content))
    };
    let mut same = base.clone();
    let mut keys = Content::clone(same.observed.keys.as_ref().unwrap());
    keys.metadata.labels.as_mut().unwrap().insert("other".into(), "x".into());
    keys.metadata.resource_version = Some("2".into());
    same.observed.keys = Some(keys.into());
    assert_eq!(template(&base), template(&same));
    for key in ["jwtSecret", "adminPassword"] {
        let mut world = base.clone();
        world.observed.keys = changed(&world.observed.keys, key, "2");
        let (before, after) = (world.only("Job", "demo-migrate-"), {
            world.settle();
            world.only("Job", "demo-migrate-")
        });
        assert_eq!(name_of(&before), name_of(&after), "{key} is nothing that data depends on");
        assert_ne!(template(&base), template(&world), "{key}");
    }
    let mut world = base.clone();
    world.observed.references.database =
        changed(&world.observed.references.database, "url", "postgres://u:other@db.test:5432/pds");
    assert_ne!(template(&base), template(&world));
    let mut world = postgres.clone();
    world.observed.postgres_secret =
        changed(&world.observed.postgres_secret, "uri", "postgres://pds:pw@demo-pg.ns.svc:5432/pds?x=1");
    assert_ne!(template(&postgres), template(&world));
    let mut world = postgres.clone();
    world.access = Access::Keys(Credential {
        access_key_id: "user".into(),
        secret_access_key: SecretString::from("another".to_owned()),
    });
    world.observed.bucket = None;
    assert_ne!(template(&postgres), template(&world));
}

#[test]
fn blobs_do_not_move_to_another_bucket() {
    let mut world = World::of("demo", open_class(), json!({"blobStore": {"s3": {"bucket": "first"}}}));
    world.settle();
    world.spec(json!({"blobStore": {"s3": {"bucket": "other"}}}));
    assert!(world.wanted().unwrap_err().message.contains("the blobs are in \"first\""));
}

/// The note on the Secret of the keys stands in for a status that is lost, and names no bucket of another instance.
#[test]
fn a_lost_status_loses_no_bucket() {
    let bucket = |world: &World| match world.wanted().map(|wanted| wanted.blobs) {
        Ok(super::super::super::wanted::Blobs::Provisioned { bucket, .. }) => bucket,
        other => unreachable!("{other:?}"),
    };
    let mut world = World::settled(json!({}));
    let first = bucket(&world);
    world.pds.status = None;
    world.change_class(json!({"objectStore": {"bucketPrefix": "late"}}));
    assert_eq!(bucket(&world), first);
    let mut keys = Content::clone(world.observed.keys.as_ref().unwrap());
    let notes = keys.metadata.annotations.as_mut().unwrap();
    notes.insert(keys::BUCKET.into(), operator_object_store::bucket_name(None, "ns", "victim")).unwrap();
    world.observed.keys = Some(keys.into());
    let refusal = world.wanted().unwrap_err();
    assert_eq!(refusal.reason, Reason::InvalidSpec);
    assert!(refusal.message.contains("the blobs are in \"ns-victim-"), "{}", refusal.message);
}

#[test]
fn nothing_that_is_observed_or_planned_shows_a_secret_in_debug() {
    for (kind, mut world) in every_kind() {
        let mut text = String::new();
        for _ in 0..12 {
            let plan = world.plan();
            text.push_str(&format!("{:?} {plan:?} {:?}", world.observed(), world.wanted()));
            world.carry_out(&plan);
            world.kubernetes();
        }
        let bytes = format!("{:?}", hex('1').as_bytes());
        for secret in
            [hex('1').as_str(), "postgres://u:p", "postgres://pds:pw", "PRIVATE KEY", bytes.trim_matches(['[', ']'])]
        {
            assert!(!text.contains(secret), "{kind}: {secret}");
        }
    }
}
