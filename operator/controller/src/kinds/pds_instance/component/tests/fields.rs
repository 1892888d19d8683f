//! Every field of the kinds does something.

use kube::CustomResourceExt;
use operator_api::{PdsClass, PdsInstance};
use serde_json::json;

use super::*;

/// Those that show in something other than what is planned. Tests against an API server look at them.
const ELSEWHERE: [&str; 6] =
    ["className", "paused", "deletionPolicy", "controllerName", "default", "limits.bucketsPerNamespace"];

/// A field, a spec with it, and the spec that it is compared with.
fn instances() -> Vec<(&'static str, Value, Value)> {
    let sqlite = json!({"database": {"sqlite": {}}});
    let external = |name: &str, key: &str| json!({"database": {"external": {"uriSecret": {"name": name, "key": key}}}});
    let mail = |change: Value| {
        let mut mail = json!({"smtpSecret": {"name": "a", "key": "k"}, "from": "a@b.test"});
        merge(&mut mail, &change);
        mail
    };
    let email = |change: Value| json!({"email": mail(change)});
    let moderation = |change: Value| email(json!({"moderation": mail(change)}));
    let cache = |name: &str, key: &str| json!({"cache": {"urlSecret": {"name": name, "key": key}}});
    let toleration = |field: &str, value: Value| {
        let mut toleration = json!({"key": "a"});
        toleration[field] = value;
        json!({"pod": {"tolerations": [toleration]}})
    };
    let tolerates = json!({"pod": {"tolerations": [{"key": "a"}]}});
    let limit = json!({"limits": {"memory": "1Gi"}});
    vec![
        ("hostname", json!({"hostname": "b.test"}), json!({})),
        ("handleDomains[].domain", json!({"handleDomains": [{"domain": "b.test"}]}), json!({})),
        ("image", json!({"image": "pds:2"}), json!({})),
        ("replicas", json!({"replicas": 3}), json!({})),
        ("database.postgres.size", json!({"database": {"postgres": {"size": "1Gi"}}}), json!({})),
        ("database.postgres.storageClassName", json!({"database": {"postgres": {"storageClassName": "a"}}}), json!({})),
        ("database.postgres.resources", json!({"database": {"postgres": {"resources": limit}}}), json!({})),
        ("database.external.uriSecret.name", external("a", "k"), external("b", "k")),
        ("database.external.uriSecret.key", external("a", "k"), external("a", "l")),
        ("database.sqlite.size", json!({"database": {"sqlite": {"size": "1Gi"}}}), sqlite.clone()),
        (
            "database.sqlite.storageClassName",
            json!({"database": {"sqlite": {"storageClassName": "a"}}}),
            sqlite.clone(),
        ),
        (
            "blobStore.disk",
            json!({"database": {"sqlite": {}}, "blobStore": {"disk": {}}}),
            json!({"database": {"sqlite": {}}, "blobStore": {"s3": {}}}),
        ),
        ("blobStore.s3.bucket", json!({"blobStore": {"s3": {"bucket": "abc"}}}), json!({})),
        ("blobStore.s3.secretName", json!({"blobStore": {"s3": {"secretName": "blobs"}}}), json!({})),
        ("identity.invites", json!({"identity": {"invites": "Open"}}), json!({})),
        ("identity.inviteInterval", json!({"identity": {"inviteInterval": "7d"}}), json!({})),
        ("identity.contactEmail", json!({"identity": {"contactEmail": "a@b.test"}}), json!({})),
        ("identity.privacyPolicyUrl", json!({"identity": {"privacyPolicyUrl": "https://a.test/p"}}), json!({})),
        ("identity.termsOfServiceUrl", json!({"identity": {"termsOfServiceUrl": "https://a.test/t"}}), json!({})),
        ("limits.blobMaxBytes", json!({"limits": {"blobMaxBytes": 7}}), json!({})),
        ("limits.accountQuota", json!({"limits": {"accountQuota": "1Gi"}}), json!({})),
        ("limits.repoImports", json!({"limits": {"repoImports": false}}), json!({})),
        ("limits.repoImportMax", json!({"limits": {"repoImportMax": "1Gi"}}), json!({})),
        ("limits.rateLimits.enabled", json!({"limits": {"rateLimits": {"enabled": false}}}), json!({})),
        ("email.smtpSecret.name", email(json!({"smtpSecret": {"name": "b"}})), email(json!({}))),
        ("email.smtpSecret.key", email(json!({"smtpSecret": {"key": "l"}})), email(json!({}))),
        ("email.from", email(json!({"from": "b@b.test"})), email(json!({}))),
        ("email.requiredFor", email(json!({"requiredFor": ["Post"]})), email(json!({}))),
        ("email.language", email(json!({"language": "fr"})), email(json!({}))),
        ("email.moderation.smtpSecret.name", moderation(json!({"smtpSecret": {"name": "b"}})), moderation(json!({}))),
        ("email.moderation.smtpSecret.key", moderation(json!({"smtpSecret": {"key": "l"}})), moderation(json!({}))),
        ("email.moderation.from", moderation(json!({"from": "b@b.test"})), moderation(json!({}))),
        ("cache.urlSecret.name", cache("b", "k"), cache("a", "k")),
        ("cache.urlSecret.key", cache("a", "l"), cache("a", "k")),
        ("log.format", json!({"log": {"format": "Text"}}), json!({})),
        ("log.level", json!({"log": {"level": "debug"}}), json!({})),
        ("tls.secretName", json!({"tls": {"secretName": "a"}}), json!({"tls": {"secretName": "b"}})),
        ("network.policy", json!({"network": {"policy": "Off"}}), json!({})),
        ("pod.resources", json!({"pod": {"resources": limit}}), json!({})),
        ("pod.migrationResources", json!({"pod": {"migrationResources": limit}}), json!({})),
        ("pod.nodeSelector", json!({"pod": {"nodeSelector": {"a": "b"}}}), json!({})),
        ("pod.tolerations[].key", json!({"pod": {"tolerations": [{"key": "b"}]}}), tolerates.clone()),
        ("pod.tolerations[].operator", toleration("operator", json!("Exists")), tolerates.clone()),
        ("pod.tolerations[].value", toleration("value", json!("x")), tolerates.clone()),
        ("pod.tolerations[].effect", toleration("effect", json!("NoExecute")), tolerates.clone()),
        ("pod.tolerations[].tolerationSeconds", toleration("tolerationSeconds", json!(7)), tolerates),
        ("pod.priorityClassName", json!({"pod": {"priorityClassName": "high"}}), json!({})),
        ("pod.imagePullSecrets", json!({"pod": {"imagePullSecrets": ["a"]}}), json!({})),
    ]
}

/// A field, a change of the class, and the spec under which it shows. What is in `open_class` is taken away, the rest added.
fn classes() -> Vec<(&'static str, Value, Value)> {
    let none = || json!({});
    let given = json!({"blobStore": {"s3": {"secretName": "blobs"}}});
    let aws = |change: Value| {
        let mut aws = json!({"workloadIdentity": {"oidcProviderArn": "a", "issuer": "i"}});
        merge(&mut aws, &change);
        json!({"objectStore": {"provisioner": "Aws", "aws": aws}})
    };
    let allowed = |name: &str, value: Value| json!({"allowed": {name: value}});
    let default = |group: &str, value: Value| json!({"defaults": {group: value}});
    let service = |name: &str, change: Value| {
        let mut service = json!({"url": "https://a.test", "did": "did:web:a.test"});
        merge(&mut service, &change);
        json!({"services": {name: service}})
    };
    vec![
        ("images.pds", json!({"images": {"pds": "pds:2"}}), none()),
        ("images.postgres", json!({"images": {"postgres": "postgres:18"}}), none()),
        ("plcUrl", json!({"plcUrl": "http://other.test"}), none()),
        ("objectStore.provisioner", json!({"objectStore": {"provisioner": "Given"}}), none()),
        ("objectStore.endpoint", json!({"objectStore": {"endpoint": "http://other.test"}}), none()),
        ("objectStore.region", json!({"objectStore": {"region": "here"}}), none()),
        ("objectStore.pathStyle", json!({"objectStore": {"pathStyle": false}}), none()),
        ("objectStore.adminSecretName", json!({"objectStore": {"adminSecretName": "other"}}), none()),
        ("objectStore.isolation", json!({"objectStore": {"isolation": "Waived"}}), none()),
        ("objectStore.bucketPrefix", json!({"objectStore": {"bucketPrefix": "other"}}), none()),
        (
            "objectStore.aws.workloadIdentity.oidcProviderArn",
            aws(json!({"workloadIdentity": {"oidcProviderArn": "b"}})),
            none(),
        ),
        ("objectStore.aws.workloadIdentity.issuer", aws(json!({"workloadIdentity": {"issuer": "j"}})), none()),
        ("objectStore.aws.iamEndpoint", aws(json!({"iamEndpoint": "http://iam.test"})), none()),
        ("caBundle", json!({"caBundle": pem().0}), none()),
        ("domains", json!({"domains": ["else.test"]}), none()),
        ("allowed.namespaces", allowed("namespaces", json!({"matchLabels": {"team": "b"}})), none()),
        ("allowed.imageRepositories", allowed("imageRepositories", json!(["a"])), json!({"image": "pds:2"})),
        (
            "allowed.secretLabels",
            json!({"objectStore": {"provisioner": "Given", "endpoint": null}, "allowed": {"secretLabels": {"a": "b"}}}),
            given,
        ),
        (
            "allowed.placement.nodeLabels",
            allowed("placement", json!({"nodeLabels": ["x"]})),
            json!({"pod": {"nodeSelector": {"a": "b"}}}),
        ),
        (
            "allowed.placement.tolerations",
            allowed("placement", json!({"tolerations": ["x"]})),
            json!({"pod": {"tolerations": [{"key": "a"}]}}),
        ),
        (
            "allowed.placement.priorityClassNames",
            allowed("placement", json!({"priorityClassNames": ["x"]})),
            json!({"pod": {"priorityClassName": "high"}}),
        ),
        ("allowed.networkOff", allowed("networkOff", json!(false)), json!({"network": {"policy": "Off"}})),
        ("allowed.privateEgress", allowed("privateEgress", json!(true)), none()),
        ("allowed.egressTo", allowed("egressTo", json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}])), none()),
        ("allowed.bucketNames", allowed("bucketNames", json!(false)), json!({"blobStore": {"s3": {"bucket": "abc"}}})),
        ("limits.maxReplicas", json!({"limits": {"maxReplicas": 1}}), none()),
        ("limits.maxStorage", json!({"limits": {"maxStorage": "1Gi"}}), none()),
        ("defaults.identity.invites", default("identity", json!({"invites": "Open"})), none()),
        ("defaults.identity.inviteInterval", default("identity", json!({"inviteInterval": "7d"})), none()),
        ("defaults.identity.contactEmail", default("identity", json!({"contactEmail": "a@b.test"})), none()),
        (
            "defaults.identity.privacyPolicyUrl",
            default("identity", json!({"privacyPolicyUrl": "https://a.test"})),
            none(),
        ),
        (
            "defaults.identity.termsOfServiceUrl",
            default("identity", json!({"termsOfServiceUrl": "https://a.test"})),
            none(),
        ),
        ("defaults.limits.blobMaxBytes", default("limits", json!({"blobMaxBytes": 7})), none()),
        ("defaults.limits.accountQuota", default("limits", json!({"accountQuota": "1Gi"})), none()),
        ("defaults.limits.repoImports", default("limits", json!({"repoImports": false})), none()),
        ("defaults.limits.repoImportMax", default("limits", json!({"repoImportMax": "1Gi"})), none()),
        ("defaults.limits.rateLimits.enabled", default("limits", json!({"rateLimits": {"enabled": false}})), none()),
        ("defaults.log.format", default("log", json!({"format": "Text"})), none()),
        ("defaults.log.level", default("log", json!({"level": "debug"})), none()),
        ("services.appView.url", service("appView", json!({"url": "https://b.test"})), none()),
        ("services.appView.did", service("appView", json!({"did": "did:web:b.test"})), none()),
        ("services.moderation.url", service("moderation", json!({"url": "https://b.test"})), none()),
        ("services.moderation.did", service("moderation", json!({"did": "did:web:b.test"})), none()),
        ("services.report.url", service("report", json!({"url": "https://b.test"})), none()),
        ("services.report.did", service("report", json!({"did": "did:web:b.test"})), none()),
        ("services.imageUrlPattern", json!({"services": {"imageUrlPattern": "https://a.test/%s/%s/%s"}}), none()),
        ("services.crawlers", json!({"services": {"crawlers": ["https://relay.test"]}}), none()),
        ("outboundAllow", json!({"outboundAllow": [".a.test"]}), none()),
        ("trustedProxies", json!({"trustedProxies": ["10.1.0.0/16"]}), none()),
        ("runAs", json!({"runAs": "Platform"}), none()),
    ]
}

/// What one round of an instance comes to: a refusal, or objects, verdicts and what the S3 service is asked for.
#[derive(PartialEq)]
enum Round {
    Refused(String),
    Planned { told: String, objects: BTreeMap<(String, String), Value> },
}

/// An instance of a class, played for as many rounds as somebody looks at.
struct Played {
    world: World,
    rounds: Vec<Round>,
    is_over: bool,
}

impl Played {
    fn new(class_change: &Value, spec: &Value) -> Self {
        let mut class = open_class();
        merge(&mut class, &json!({"spec": class_change}));
        Self { world: World::of("demo", class, spec.clone()), rounds: Vec::new(), is_over: false }
    }

    /// Nothing after the round that was like the one before it, and after many.
    fn round(&mut self, number: usize) -> Option<&Round> {
        while self.rounds.len() <= number && !self.is_over {
            let round = self.play();
            self.is_over = matches!(round, Round::Refused(_)) || self.rounds.last() == Some(&round);
            self.rounds.push(round);
            self.is_over |= self.rounds.len() == 12;
        }
        self.rounds.get(number)
    }

    fn play(&mut self) -> Round {
        let world = &mut self.world;
        let observed = world.observed();
        let plan = match validate(&world.pds, &observed) {
            Ok(wanted) => plan::plan(&world.pds, &wanted, &observed),
            Err(refusal) => return Round::Refused(refusal.to_string()),
        };
        world.carry_out(&plan);
        world.kubernetes();
        Round::Planned { told: format!("{:?} {:?}", plan.steps, plan.verdicts), objects: world.objects.clone() }
    }

    /// Whether a round differs from the one of another instance.
    fn differs(&mut self, other: &mut Self) -> bool {
        for number in 0.. {
            match (self.round(number), other.round(number)) {
                (None, None) => return false,
                (own, other) if own != other => return true,
                _ => {}
            }
        }
        unreachable!("the rounds have an end")
    }
}

#[test]
fn every_field_of_an_instance_changes_something() {
    let mut others = BTreeMap::new();
    for (field, spec, other) in instances() {
        let without = others.entry(other.to_string()).or_insert_with(|| Played::new(&json!({}), &other));
        assert!(Played::new(&json!({}), &spec).differs(without), "{field} does nothing");
    }
}

#[test]
fn every_field_of_a_class_changes_something() {
    let mut others = BTreeMap::new();
    for (field, change, spec) in classes() {
        // What stands beside the field in its change is no difference.
        let mut without = change.clone();
        remove(&mut without, field);
        let key = (without.to_string(), spec.to_string());
        let without = others.entry(key).or_insert_with(|| Played::new(&without, &spec));
        assert!(Played::new(&change, &spec).differs(without), "{field} does nothing");
    }
}

fn remove(change: &mut Value, field: &str) {
    let (parents, last) = field.rsplit_once('.').unwrap_or(("", field));
    let mut at = change;
    for name in parents.split('.').filter(|name| !name.is_empty()) {
        at = &mut at[name];
    }
    match field {
        // Needed beside what is next to them, so they are another value instead of none.
        "objectStore.aws.workloadIdentity.oidcProviderArn" | "objectStore.aws.workloadIdentity.issuer" => {
            at[last] = json!("z")
        }
        _ if field.starts_with("services.") && last == "url" => at[last] = json!("https://z.test"),
        _ if field.starts_with("services.") && last == "did" => at[last] = json!("did:web:z.test"),
        _ => drop(at.as_object_mut().unwrap().remove(last)),
    }
}

#[test]
fn a_policy_for_deletion_says_what_is_deleted() {
    use super::super::super::wanted::Deletes;
    for (field, expected) in [
        ("database", Deletes { database: true, ..Deletes::default() }),
        ("blobs", Deletes { blobs: true, ..Deletes::default() }),
        ("keys", Deletes { keys: true, ..Deletes::default() }),
    ] {
        let spec = World::new(json!({"deletionPolicy": {field: "Delete"}})).pds.spec;
        assert_eq!(Deletes::of(spec.deletion_policy.as_ref()), expected, "{field}");
    }
    assert!(!Deletes::of(None).any());
}

#[test]
fn no_field_is_left_out_here() {
    let crds = [serde_json::to_value(PdsInstance::crd()).unwrap(), serde_json::to_value(PdsClass::crd()).unwrap()];
    let mut known: Vec<_> = instances().into_iter().map(|(field, ..)| field.to_owned()).collect();
    known.extend(classes().into_iter().map(|(field, ..)| field.to_owned()));
    known.extend(ELSEWHERE.map(str::to_owned));
    let mut fields = Vec::new();
    for crd in &crds {
        leaves("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], &known, &mut fields);
    }
    let left_out: Vec<_> = fields.iter().filter(|field| !known.contains(field)).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
    let gone: Vec<_> = known.iter().filter(|field| !fields.contains(field)).collect();
    assert!(gone.is_empty(), "not in the schema: {gone:?}");
}

/// The paths of the fields without fields of their own, or that are known as a whole.
fn leaves(path: &str, schema: &Value, known: &[String], found: &mut Vec<String>) {
    let fields = schema["properties"].as_object();
    match fields.filter(|fields| !fields.is_empty() && !known.contains(&path.to_owned())) {
        Some(fields) => {
            for (name, inner) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, inner, known, found);
            }
        }
        None if schema["items"]["properties"].is_object() && !known.contains(&path.to_owned()) => {
            leaves(&format!("{path}[]"), &schema["items"], known, found);
        }
        None => found.push(path.to_owned()),
    }
}
