//! Instances in a cluster that is played by hand: what is planned is written down, Kubernetes does its part, and it is planned again.
// tidy: long because it is the harness of every test of the components

mod access;
mod buckets;
mod diagnosis;
mod fields;
mod leaving;
mod migration;
mod names;
mod network;
mod objects;
mod order;
mod rest;
mod turns;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ObjectMeta;
use operator_api::{
    ClaimOwner, ConditionType, PdsBucketClaim, PdsBucketClaimSpec, PdsClass, PdsHostnameClaim, PdsHostnameClaimSpec,
    PdsInstance, Reason,
};
use operator_object_store::{Access, Credential, Seed};
use operator_runtime::carry_out::Write;
use operator_runtime::labels;
use operator_runtime::manifest::Manifest;
use operator_runtime::object::{AnyObject, Object, strip};
use operator_runtime::secret::Content;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::super::observed::{BucketState, ClassFound, Observed, References, Seen};
use super::super::plan::{self, Plan};
use super::super::step::Step;
use super::super::validate::validate;
use super::super::verdict::Verdict;
use super::super::wanted::{Refusal, Wanted};
use super::{blobs, database, keys, name, secrets, version as versions};

/// Where all tests are in time, in seconds since 1970.
const NOW: i64 = 1_700_000_000;

fn class() -> Value {
    json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": "standard"},
        "spec": {
            "images": {"pds": "pds:1", "postgres": "postgres:17"}, "plcUrl": "http://plc.test:2582",
            "objectStore": {"endpoint": "http://s3.test:7070", "adminSecretName": "admin", "provisioner": "Versitygw"},
            "limits": {"maxReplicas": 3},
        }
    })
}

/// A class that allows everything.
fn open_class() -> Value {
    let mut open = class();
    merge(
        &mut open,
        &json!({"spec": {"allowed": {
            "imageRepositories": ["pds", "other"], "networkOff": true, "bucketNames": true, "services": true, "kms": true,
            "placement": {"tolerations": ["a", "b"], "priorityClassNames": ["high"]},
        }}}),
    );
    open
}

fn merge(base: &mut Value, change: &Value) {
    match change {
        Value::Object(fields) if fields.is_empty() && base.is_object() => {}
        Value::Object(fields) if !fields.is_empty() => {
            if !base.is_object() {
                *base = json!({});
            }
            fields.iter().for_each(|(name, value)| merge(&mut base[name], value));
        }
        other => *base = other.clone(),
    }
}

fn content(name: &str, uid: &str, values: &[(&str, &str)]) -> Content {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
    let metadata = ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), ..Default::default() };
    Content { metadata, values, ..Default::default() }
}

/// The same as a Secret of an instance's own.
fn own(mut content: Content, instance: &str) -> Arc<Content> {
    content.metadata.labels = Some(labels::all(instance, "keys"));
    content.into()
}

fn hex(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn keys_content(name: &str, digit: char) -> Content {
    let key = hex(digit);
    let values = [("jwtSecret", "j"), ("adminPassword", "a"), ("plcRotationKey", &key), ("keyEncryptionKey", &key)];
    content(&keys::secret_name(name), "keys-uid", &values)
}

fn typed(kind: &str, json: &Value) -> Arc<dyn AnyObject> {
    fn of<K: Object>(json: &Value) -> Arc<dyn AnyObject> {
        let mut object: K = serde_json::from_value(json.clone()).unwrap();
        strip(object.meta_mut());
        Arc::new(object)
    }
    match kind {
        "ConfigMap" => of::<ConfigMap>(json),
        "Deployment" => of::<Deployment>(json),
        "Job" => of::<Job>(json),
        "NetworkPolicy" => of::<NetworkPolicy>(json),
        "PersistentVolumeClaim" => of::<PersistentVolumeClaim>(json),
        "Pod" => of::<Pod>(json),
        "PodDisruptionBudget" => of::<PodDisruptionBudget>(json),
        "Service" => of::<Service>(json),
        "ServiceAccount" => of::<ServiceAccount>(json),
        "StatefulSet" => of::<StatefulSet>(json),
        other => unreachable!("no component makes a {other}"),
    }
}

/// An instance and everything around it.
#[derive(Clone)]
struct World {
    pds: PdsInstance,
    class: Value,
    objects: BTreeMap<(String, String), Value>,
    observed: Observed,
    /// What the S3 service gives.
    access: Access,
    uids: u32,
}

impl World {
    fn new(spec: Value) -> Self {
        Self::of("demo", class(), spec)
    }

    fn of(name: &str, class: Value, change: Value) -> Self {
        let mut spec = json!({"hostname": "demo.test"});
        merge(&mut spec, &change);
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some("ns".into()),
            uid: Some("pds-uid".into()),
            generation: Some(1),
            ..Default::default()
        };
        let pds = PdsInstance { metadata, spec: serde_json::from_value(spec).unwrap(), status: None };
        let url = "postgres://u:p@db.test:5432/pds";
        let given = [
            ("bucket", "given"),
            ("endpoint", "http://given.test:9000"),
            ("region", "auto"),
            ("accessKeyId", "id"),
            ("secretAccessKey", "secret"),
        ];
        let external = pds.spec.database.as_ref().and_then(|database| database.external.as_ref());
        let key = external.map(|external| external.uri_secret.key.clone());
        let database = key.map(|key| Arc::new(content("db", "db-uid", &[(&key, url)])));
        let typed: PdsClass = serde_json::from_value(class.clone()).unwrap();
        let services = secrets::of_services(&pds.spec, Some(&typed)).into_iter().map(|one| {
            let value = match one.variable {
                "REDIS_URL" => "redis://a.test",
                "PDS_RATE_LIMIT_BYPASS_KEY" => "correct horse battery",
                "OTEL_EXPORTER_OTLP_HEADERS" => "authorization=Bearer%20a",
                _ => "smtp://a.test",
            };
            (one.field, Arc::new(content(&one.secret.name, "service-uid", &[(&one.secret.key, value)])))
        });
        let references = References { database, services: services.collect(), ..Default::default() };
        let observed = Observed {
            class: ClassFound::None,
            namespace_labels: [("team".to_owned(), "a".to_owned())].into(),
            claims: BTreeMap::new(),
            claims_above: BTreeMap::new(),
            claims_below: BTreeMap::new(),
            needless_claims: Vec::new(),
            bucket_claims: Vec::new(),
            admin: Some(content("admin", "admin-uid", &[("accessKeyId", "root"), ("secretAccessKey", "pw")]).into()),
            operator_namespace: "system".into(),
            seed: Seed::new([7; 32]),
            cluster: "c".into(),
            keys: None,
            postgres_secret: None,
            s3_secret: None,
            given: Some(content("blobs", "given-uid", &given).into()),
            references,
            volume: None,
            volume_can_grow: true,
            children: Default::default(),
            refusals: BTreeMap::new(),
            bucket: None,
            scrape: None,
            now: Timestamp::from_second(NOW).unwrap(),
        };
        let credential =
            Credential { access_key_id: "user".into(), secret_access_key: SecretString::from("secret".to_owned()) };
        Self { pds, class, objects: BTreeMap::new(), observed, access: Access::Keys(credential), uids: 0 }
    }

    /// An instance at rest.
    fn settled(spec: Value) -> Self {
        let mut world = Self::new(spec);
        world.settle();
        world
    }

    fn name(&self) -> String {
        self.pds.metadata.name.clone().unwrap()
    }

    fn spec(&mut self, change: Value) {
        let mut spec = serde_json::to_value(&self.pds.spec).unwrap();
        merge(&mut spec, &change);
        self.pds.spec = serde_json::from_value(spec).unwrap();
        self.pds.metadata.generation = self.pds.metadata.generation.map(|generation| generation + 1);
    }

    fn change_class(&mut self, change: Value) {
        merge(&mut self.class, &json!({"spec": change}));
    }

    fn observed(&self) -> Observed {
        let class: PdsClass = serde_json::from_value(self.class.clone()).unwrap();
        let children = self.objects.iter().map(|((kind, _), json)| typed(kind, json)).collect();
        let mut observed = Observed { class: ClassFound::Found(class.into()), children, ..self.observed.clone() };
        for name in [database::volume_name(&self.name()), name::sqlite_volume(&self.name())] {
            let found = observed.children.get::<PersistentVolumeClaim>(&name).cloned();
            observed.volume = observed.volume.or(found);
        }
        observed
    }

    fn wanted(&self) -> Result<Wanted, Refusal> {
        validate(&self.pds, &self.observed())
    }

    fn plan(&self) -> Plan {
        let observed = self.observed();
        plan::plan(&self.pds, &validate(&self.pds, &observed).unwrap(), &observed)
    }

    fn verdict(&self, condition: ConditionType) -> Verdict {
        let plan = self.plan();
        let found = plan.verdicts.iter().find(|(known, _)| *known == condition);
        found.unwrap_or_else(|| unreachable!("no {condition}")).1.clone()
    }

    fn reason(&self, condition: ConditionType) -> Reason {
        self.verdict(condition).reason
    }

    fn uid(&mut self) -> String {
        self.uids += 1;
        format!("uid-{}", self.uids)
    }

    fn get(&self, kind: &str, name: &str) -> &Value {
        self.objects.get(&(kind.to_owned(), name.to_owned())).unwrap_or_else(|| unreachable!("no {kind} {name}"))
    }

    fn edit(&mut self, kind: &str, name: &str, change: Value) {
        let key = (kind.to_owned(), name.to_owned());
        merge(self.objects.get_mut(&key).unwrap_or_else(|| unreachable!("no {kind} {name}")), &change);
    }

    fn put(&mut self, kind: &str, json: Value) {
        let name = json["metadata"]["name"].as_str().unwrap().to_owned();
        self.objects.insert((kind.to_owned(), name), json);
    }

    fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |((known, _), _)| known == kind).map(|(_, json)| json)
    }

    /// The only object of a kind whose name begins so.
    fn only(&self, kind: &str, start: &str) -> Value {
        let found: Vec<_> = self.all(kind).filter(|json| name_of(json).starts_with(start)).collect();
        assert_eq!(found.len(), 1, "{kind} {start}");
        found[0].clone()
    }

    /// The pod templates of every workload.
    fn templates(&self) -> Vec<Value> {
        let kinds = ["Deployment", "StatefulSet", "Job"];
        kinds.iter().flat_map(|kind| self.all(kind)).map(|json| json["spec"]["template"].clone()).collect()
    }

    /// Writes down what a plan says, as the API server and the S3 service would.
    fn carry_out(&mut self, plan: &Plan) {
        for (_, write) in &plan.writes {
            match write {
                Write::Create(manifest) | Write::Apply(manifest) => self.write(manifest),
                Write::Delete(condemned) => {
                    let key = (condemned.resource.kind.clone(), condemned.name.clone());
                    let gone = self.objects.remove(&key).unwrap_or_else(|| unreachable!("no {key:?} to delete"));
                    assert_eq!(gone["metadata"]["uid"], condemned.uid.as_str());
                }
            }
        }
        for (_, step) in &plan.steps {
            self.take(step);
        }
        let status = self.pds.status.get_or_insert_default();
        status.observed_generation = self.pds.metadata.generation;
        if plan.facts.is_rolled_out.is_some() {
            status.applied_generation = self.pds.metadata.generation;
        }
        let facts = &plan.facts;
        if let Some((bucket, endpoint)) = facts.bucket.clone() {
            let resolved = status.resolved.get_or_insert_default();
            (resolved.bucket, resolved.object_store_endpoint) = (Some(bucket), endpoint);
        }
        if let Some(version) = facts.postgres_version {
            status.resolved.get_or_insert_default().postgres_major = Some(versions::major(version));
        }
        if let Some(fingerprint) = facts.fingerprint.clone() {
            let secret_name = keys::secret_name(&self.pds.metadata.name.clone().unwrap());
            status.keys = Some(operator_api::KeysStatus { secret_name, fingerprint: Some(fingerprint) });
        }
        if facts.image_digest.is_some() {
            status.image_digest.clone_from(&facts.image_digest);
        }
        if facts.is_rolled_out == Some(true) {
            let image = self.wanted().unwrap().image;
            self.pds.status.get_or_insert_default().image = Some(image);
        }
    }

    fn write(&mut self, manifest: &Manifest) {
        let key = (manifest.kind.to_owned(), manifest.name.clone());
        let mut json = manifest.json.clone();
        canonical(&mut json, false);
        let uid = self.uid();
        match self.objects.get(&key) {
            Some(live) => {
                let changed = live["spec"] != json["spec"];
                let generation = live["metadata"]["generation"].as_i64().unwrap();
                json["metadata"]["uid"] = live["metadata"]["uid"].clone();
                json["metadata"]["generation"] = json!(generation + i64::from(changed));
                json["status"] = live["status"].clone();
            }
            None => {
                json["metadata"]["uid"] = json!(uid);
                json["metadata"]["generation"] = json!(1);
            }
        }
        self.objects.insert(key, json);
    }

    fn take(&mut self, step: &Step) {
        let name = self.name();
        match step {
            Step::FreeClaim { .. } | Step::ReleaseClaim { .. } => {}
            Step::Claim { domains, .. } => {
                let owner = ClaimOwner { namespace: "ns".into(), name, uid: "pds-uid".into() };
                for domain in domains {
                    let spec = PdsHostnameClaimSpec { hostname: domain.clone(), owner: owner.clone() };
                    self.observed.claims.insert(domain.clone(), PdsHostnameClaim::new("c", spec).into());
                }
            }
            Step::CreateKeys => {
                let mut content = keys_content(&name, '1');
                if let Some(kms) = self.wanted().unwrap().kms {
                    content.values.remove("plcRotationKey");
                    content.values.insert("plcRotationKmsKeyId".into(), kms.key_id.into_bytes());
                }
                self.observed.keys = Some(own(content, &name));
            }
            Step::AnnotateKeys { uid, annotations } => {
                let mut content = Content::clone(self.observed.keys.as_ref().unwrap());
                assert_eq!(content.metadata.uid.as_ref(), Some(uid));
                content.metadata.annotations.get_or_insert_default().extend(annotations.clone());
                self.observed.keys = Some(content.into());
            }
            Step::CreatePostgresSecret => {
                let values = [("password", "pw"), ("uri", "postgres://pds:pw@demo-pg.ns.svc:5432/pds")];
                self.observed.postgres_secret = Some(own(content(&name::postgres(&name), "pg-uid", &values), &name));
            }
            Step::ClaimBucket { claim, .. } => {
                self.observed.bucket_claims.push(PdsBucketClaim::new("c", PdsBucketClaimSpec::clone(claim)).into());
            }
            Step::EnsureBucket { store, request } => {
                let question = blobs::question(request, store, self.observed.admin.as_deref(), "ensure");
                let seen = Seen::Granted(self.access.clone());
                self.observed.bucket = Some(BucketState { question, seen, age: Duration::ZERO });
            }
            Step::FindBucket { store, request } => {
                let question = blobs::question(request, store, self.observed.admin.as_deref(), "find");
                self.observed.bucket = Some(BucketState { question, seen: Seen::Elsewhere, age: Duration::ZERO });
            }
            Step::WriteBucketSecret { credential, .. } => {
                let secret = credential.secret_access_key.expose_secret();
                let values = [("accessKeyId", credential.access_key_id.as_str()), ("secretAccessKey", secret)];
                let uid = self.uid();
                self.observed.s3_secret = Some(own(content(&blobs::secret_name(&name), &uid, &values), &name));
            }
            Step::GrowVolume { name, size, .. } => {
                let mut size = json!({"requests": {"storage": size}});
                canonical(&mut size, false);
                self.edit("PersistentVolumeClaim", name, json!({"spec": {"resources": size}}));
            }
        }
    }

    /// What Kubernetes does: volumes, pods and status. Everything succeeds at once.
    fn kubernetes(&mut self) {
        for ((kind, name), json) in self.objects.clone() {
            let spec = &json["spec"];
            match kind.as_str() {
                "StatefulSet" => {
                    let volume = format!("data-{name}-0");
                    if !self.objects.contains_key(&("PersistentVolumeClaim".to_owned(), volume.clone())) {
                        let mut claim = spec["volumeClaimTemplates"][0].clone();
                        let uid = self.uid();
                        merge(&mut claim, &json!({"metadata": {"name": volume, "namespace": "ns", "uid": uid}}));
                        self.put("PersistentVolumeClaim", claim);
                    }
                    self.edit("StatefulSet", &name, json!({"status": {"readyReplicas": 1}}));
                }
                "Job" if json["status"].is_null() => self.finish(&name),
                "Deployment" => {
                    let (replicas, generation) = (&spec["replicas"], &json["metadata"]["generation"]);
                    let status = json!({
                        "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
                        "readyReplicas": replicas, "observedGeneration": generation,
                    });
                    self.edit("Deployment", &name, json!({"status": status}));
                }
                _ => {}
            }
        }
    }

    /// A Job ends well, and its pod tells what the Job's pods tell.
    fn finish(&mut self, name: &str) {
        let containers = self.get("Job", name)["spec"]["template"]["spec"]["containers"].clone();
        let status = containers.as_array().unwrap().iter().map(|container| {
            let image = container["image"].as_str().unwrap();
            let message = match container["name"].as_str().unwrap() {
                "migrate" => json!({"postgresVersion": 170_002}).to_string(),
                _ => format!("postgres (PostgreSQL) {}.1", image.rsplit(':').next().unwrap()),
            };
            json!({"name": container["name"], "image": image, "imageID": format!("{image}@sha256:{}", hex('a')),
                "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "message": message, "finishedAt": "2024-01-01T00:00:00Z"}}})
        });
        let status = json!({"containerStatuses": status.collect::<Vec<_>>()});
        self.pod_of("Job", name, &format!("{name}-x"), status);
        self.edit("Job", name, json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}));
    }

    /// A pod that a workload made.
    fn pod_of(&mut self, kind: &str, maker: &str, pod: &str, status: Value) {
        let made_by = self.get(kind, maker).clone();
        let uid = self.uid();
        let owner = match kind {
            "Deployment" => json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{maker}-5b8c9"),
                "uid": "rs", "controller": true}),
            _ => json!({"apiVersion": made_by["apiVersion"], "kind": kind, "name": maker,
                "uid": made_by["metadata"]["uid"], "controller": true}),
        };
        self.put(
            "Pod",
            json!({"metadata": {"name": pod, "namespace": "ns", "uid": uid, "ownerReferences": [owner],
                "labels": made_by["spec"]["template"]["metadata"]["labels"]}, "status": status}),
        );
    }

    /// Until there is nothing left to do.
    fn settle(&mut self) {
        for _ in 0..40 {
            let plan = self.plan();
            let before = (self.objects.clone(), self.pds.status.clone());
            self.carry_out(&plan);
            self.kubernetes();
            if plan.steps.is_empty()
                && plan.writes.is_empty()
                && before == (self.objects.clone(), self.pds.status.clone())
            {
                return;
            }
        }
        let plan = self.plan();
        unreachable!("never at rest: {:?} {:?}", plan.steps, titles(&plan));
    }

    /// Plans, carries out and lets Kubernetes do its part, so many times.
    fn advance(&mut self, times: usize) {
        for _ in 0..times {
            let plan = self.plan();
            self.carry_out(&plan);
            self.kubernetes();
        }
    }
}

fn name_of(json: &Value) -> &str {
    json["metadata"]["name"].as_str().unwrap()
}

/// What a plan writes: verb, kind and name.
fn titles(plan: &Plan) -> Vec<String> {
    let title = |write: &Write| match write {
        Write::Create(manifest) => format!("create {}", manifest.title()),
        Write::Apply(manifest) => format!("apply {}", manifest.title()),
        Write::Delete(condemned) => format!("delete {} {}", condemned.resource.kind, condemned.name),
    };
    plan.writes.iter().map(|(_, write)| title(write)).collect()
}

fn steps(plan: &Plan) -> Vec<String> {
    let first_word = |step: &Step| format!("{step:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    plan.steps.iter().map(|(_, step)| first_word(step)).collect()
}

/// Rewrites amounts as the API server does.
fn canonical(json: &mut Value, amounts: bool) {
    match json {
        Value::Object(fields) => {
            for (key, value) in fields {
                canonical(value, amounts || ["requests", "limits", "sizeLimit"].contains(&key.as_str()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| canonical(item, amounts)),
        Value::String(text) if amounts => match text.as_str() {
            "1.5Gi" => *text = "1536Mi".into(),
            "1000m" => *text = "1".into(),
            _ => {}
        },
        _ => {}
    }
}

/// Every kind of instance that there is.
fn every_kind() -> Vec<(&'static str, World)> {
    let aws = json!({"spec": {"objectStore": {"provisioner": "Aws", "endpoint": null, "adminSecretName": null}}});
    let role = json!({"spec": {"objectStore": {"aws": {"workloadIdentity": {"oidcProviderArn": "a", "issuer": "i"}}}}});
    let given = json!({"spec": {"objectStore": {"provisioner": "Given", "endpoint": null, "adminSecretName": null}}});
    let changed = |changes: &[&Value]| {
        let mut class = class();
        changes.iter().for_each(|change| merge(&mut class, change));
        class
    };
    let external = json!({"database": {"external": {"uriSecret": {"name": "db", "key": "url"}}}});
    let mut with_role = World::of("demo", changed(&[&aws, &role]), json!({}));
    with_role.access = Access::Role { arn: "arn:aws:iam::1:role/demo".into() };
    let full = json!({"network": {"policy": "Off"}, "replicas": 3, "pod": {"resources": {"requests": {"cpu": "1000m"}}},
        "database": {"postgres": {"size": "1.5Gi", "resources": {"limits": {"memory": "1.5Gi"}}}}});
    let mut tls = World::of(
        "demo",
        changed(&[&json!({"spec": {"caBundle": pem().0}})]),
        json!({"tls": {"secretName": "cert"}, "hostname": "localhost"}),
    );
    let (certificate, key) = pem();
    tls.observed.references.tls =
        Some(content("cert", "tls-uid", &[("tls.crt", &certificate), ("tls.key", &key)]).into());
    vec![
        ("smallest", World::new(json!({}))),
        ("full", World::of("demo", open_class(), full)),
        ("external", World::new(external)),
        ("sqlite", World::new(json!({"database": {"sqlite": {"size": "1.5Gi"}}}))),
        ("sqlite and bucket", World::new(json!({"database": {"sqlite": {}}, "blobStore": {"s3": {}}}))),
        ("aws", World::of("demo", changed(&[&aws]), json!({}))),
        ("role", with_role),
        ("given", World::of("demo", changed(&[&given]), json!({"blobStore": {"s3": {"secretName": "blobs"}}}))),
        ("tls", tls),
        ("stopped", World::new(json!({"replicas": 0}))),
    ]
}

/// A certificate and its key.
fn pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["demo.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}
