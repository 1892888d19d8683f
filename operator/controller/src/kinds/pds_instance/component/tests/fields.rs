//! Every field of the kinds does something.
// tidy: long because it is the table of all fields

use kube::CustomResourceExt;
use operator_api::{PdsClass, PdsInstance};
use serde_json::json;

use super::*;

/// Those that show in something other than what is planned. Tests against an API server look at them.
const ELSEWHERE: [&str; 6] =
    ["className", "paused", "deletionPolicy", "controllerName", "default", "limits.bucketsPerNamespace"];

const RECOVERY: &str = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";

/// Fields that an instance and the defaults of a class have, each with a value.
fn shared() -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("limits.accountDeleteGrace", json!("3d")),
        ("limits.repoImportMaxRecords", json!(7)),
        ("limits.eventRetention", json!("3d")),
        ("limits.subscribersPerPod", json!(7)),
        ("limits.connectionsPerPod", json!(700)),
        ("limits.rateLimits.unauthenticated.perMinute", json!(7)),
        ("limits.rateLimits.unauthenticated.burst", json!(7)),
        ("limits.rateLimits.authenticated.perMinute", json!(7)),
        ("limits.rateLimits.authenticated.burst", json!(7)),
        ("limits.rateLimits.admin.perMinute", json!(7)),
        ("limits.rateLimits.admin.burst", json!(7)),
        ("limits.rateLimits.exemptNetworks", json!(["192.0.2.0/24"])),
        ("log.sample.oneIn", json!(7)),
        ("log.sample.methods", json!({"com.atproto.sync.getBlob": "0.01"})),
        ("log.slowQueryMs", json!(7)),
        ("traces.endpoint", json!("http://collector.test:4318")),
        ("records.allow", json!(["app.bsky.*"])),
        ("records.deny", json!(["app.bsky.feed.post"])),
        ("records.maxBytes", json!({"*": 7})),
    ];
    let jobs = [
        "jobs.lease",
        "jobs.accountPurge",
        "jobs.blobOrphanSweep",
        "jobs.blobStoreCheck",
        "jobs.cacheCleanup",
        "jobs.crawl",
        "jobs.databaseMaintenance",
        "jobs.eventRetention",
        "jobs.expiredImports",
        "jobs.healthCheck",
        "jobs.identityChanges",
        "jobs.mails",
        "jobs.reservations",
        "jobs.sessionCleanup",
        "jobs.suspensionCleanup",
    ];
    fields.extend(jobs.map(|job| (job, json!("7m"))));
    fields
}

/// The layout has HTML alone.
fn template(language: &str, kind: &str, text: &str) -> Value {
    match kind {
        "Layout" => json!({"language": language, "mail": kind, "html": text}),
        _ => json!({"language": language, "mail": kind, "text": text, "html": "<p>"}),
    }
}

/// An object with the value at this path.
fn at(path: &str, value: &Value) -> Value {
    path.rsplit('.').fold(value.clone(), |value, name| json!({name: value}))
}

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
    let words = |language: &str, kind: &str, text: &str| email(json!({"templates": [template(language, kind, text)]}));
    let cache = |name: &str, key: &str| json!({"cache": {"urlSecret": {"name": name, "key": key}}});
    let toleration = |field: &str, value: Value| {
        let mut toleration = json!({"key": "a"});
        toleration[field] = value;
        json!({"pod": {"tolerations": [toleration]}})
    };
    let tolerates = json!({"pod": {"tolerations": [{"key": "a"}]}});
    let limit = json!({"limits": {"memory": "1Gi"}});
    let bypass =
        |name: &str, key: &str| json!({"limits": {"rateLimits": {"bypassSecret": {"name": name, "key": key}}}});
    let service = |name: &str, change: Value| {
        let mut service = json!({"url": "https://a.test", "did": "did:web:a.test"});
        merge(&mut service, &change);
        json!({"services": {name: service}})
    };
    let traces = |change: Value| {
        let mut traces = json!({"endpoint": "http://a.test:4318", "headersSecret": {"name": "a", "key": "k"}});
        merge(&mut traces, &change);
        json!({"traces": traces})
    };
    let kms = |change: Value| {
        let mut kms = json!({"keyId": "alias/pds", "region": "eu-west-1"});
        merge(&mut kms, &change);
        json!({"keys": {"kms": kms}})
    };
    let role = "arn:aws:iam::123456789012:role/pds";
    let pods =
        |label: &str, port: i32| json!({"network": {"egressTo": [{"podLabels": {"app": label}, "ports": [port]}]}});
    let mut fields = vec![
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
        ("keys.kms.keyId", kms(json!({"keyId": "alias/other"})), kms(json!({}))),
        ("keys.kms.region", kms(json!({"region": "eu-north-1"})), kms(json!({}))),
        ("keys.kms.endpoint", kms(json!({"endpoint": "https://kms.test"})), kms(json!({}))),
        ("keys.kms.roleArn", kms(json!({"roleArn": role})), kms(json!({}))),
        ("identity.invites", json!({"identity": {"invites": "Open"}}), json!({})),
        ("identity.inviteInterval", json!({"identity": {"inviteInterval": "7d"}}), json!({})),
        ("identity.invitesSince", json!({"identity": {"invitesSince": "2026-01-01T00:00:00Z"}}), json!({})),
        ("identity.recoveryDidKey", json!({"identity": {"recoveryDidKey": RECOVERY}}), json!({})),
        ("identity.contactEmail", json!({"identity": {"contactEmail": "a@b.test"}}), json!({})),
        ("identity.privacyPolicyUrl", json!({"identity": {"privacyPolicyUrl": "https://a.test/p"}}), json!({})),
        ("identity.termsOfServiceUrl", json!({"identity": {"termsOfServiceUrl": "https://a.test/t"}}), json!({})),
        ("limits.blobMaxBytes", json!({"limits": {"blobMaxBytes": 7}}), json!({})),
        ("limits.accountQuota", json!({"limits": {"accountQuota": "1Gi"}}), json!({})),
        ("limits.repoImports", json!({"limits": {"repoImports": false}}), json!({})),
        ("limits.repoImportMax", json!({"limits": {"repoImportMax": "1Gi"}}), json!({})),
        ("limits.rateLimits.enabled", json!({"limits": {"rateLimits": {"enabled": false}}}), json!({})),
        ("limits.rateLimits.bypassSecret.name", bypass("b", "k"), bypass("a", "k")),
        ("limits.rateLimits.bypassSecret.key", bypass("a", "l"), bypass("a", "k")),
        ("email.smtpSecret.name", email(json!({"smtpSecret": {"name": "b"}})), email(json!({}))),
        ("email.smtpSecret.key", email(json!({"smtpSecret": {"key": "l"}})), email(json!({}))),
        ("email.from", email(json!({"from": "b@b.test"})), email(json!({}))),
        ("email.requiredFor", email(json!({"requiredFor": ["Post"]})), email(json!({}))),
        (
            "email.language",
            email(json!({"language": "fr", "templates": [template("fr", "SignIn", "a")]})),
            email(json!({"templates": [template("fr", "SignIn", "a")]})),
        ),
        ("email.templates[].language", words("fr", "SignIn", "a"), words("de", "SignIn", "a")),
        ("email.templates[].mail", words("fr", "SignIn", "a"), words("fr", "ConfirmEmail", "a")),
        ("email.templates[].text", words("fr", "SignIn", "a"), words("fr", "SignIn", "b")),
        ("email.templates[].html", words("fr", "Layout", "a"), words("fr", "Layout", "b")),
        ("email.confirmationLink", email(json!({"confirmationLink": false})), email(json!({}))),
        ("email.moderation.smtpSecret.name", moderation(json!({"smtpSecret": {"name": "b"}})), moderation(json!({}))),
        ("email.moderation.smtpSecret.key", moderation(json!({"smtpSecret": {"key": "l"}})), moderation(json!({}))),
        ("email.moderation.from", moderation(json!({"from": "b@b.test"})), moderation(json!({}))),
        ("cache.urlSecret.name", cache("b", "k"), cache("a", "k")),
        ("cache.urlSecret.key", cache("a", "l"), cache("a", "k")),
        ("log.format", json!({"log": {"format": "Text"}}), json!({})),
        ("log.level", json!({"log": {"level": "debug"}}), json!({})),
        ("traces.headersSecret.name", traces(json!({"headersSecret": {"name": "b"}})), traces(json!({}))),
        ("traces.headersSecret.key", traces(json!({"headersSecret": {"key": "l"}})), traces(json!({}))),
        ("traces.serviceName", traces(json!({"serviceName": "pds"})), traces(json!({}))),
        ("traces.sampler", traces(json!({"sampler": "AlwaysOff"})), traces(json!({}))),
        (
            "traces.ratio",
            traces(json!({"sampler": "TraceIdRatio", "ratio": "0.5"})),
            traces(json!({"sampler": "TraceIdRatio"})),
        ),
        ("tls.secretName", json!({"tls": {"secretName": "a"}}), json!({"tls": {"secretName": "b"}})),
        ("network.policy", json!({"network": {"policy": "Off"}}), json!({})),
        ("network.egressTo[].podLabels", pods("b", 1), pods("a", 1)),
        ("network.egressTo[].ports", pods("a", 2), pods("a", 1)),
        ("services.appView.url", service("appView", json!({"url": "https://b.test"})), service("appView", json!({}))),
        ("services.appView.did", service("appView", json!({"did": "did:web:b.test"})), service("appView", json!({}))),
        (
            "services.moderation.url",
            service("moderation", json!({"url": "https://b.test"})),
            service("moderation", json!({})),
        ),
        (
            "services.moderation.did",
            service("moderation", json!({"did": "did:web:b.test"})),
            service("moderation", json!({})),
        ),
        ("services.report.url", service("report", json!({"url": "https://b.test"})), service("report", json!({}))),
        ("services.report.did", service("report", json!({"did": "did:web:b.test"})), service("report", json!({}))),
        ("services.imageUrlPattern", json!({"services": {"imageUrlPattern": "https://a.test/%s/%s/%s"}}), json!({})),
        ("services.crawlers", json!({"services": {"crawlers": ["https://relay.test"]}}), json!({})),
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
    ];
    fields.extend(shared().into_iter().map(|(field, value)| (field, at(field, &value), json!({}))));
    fields
}

/// A field, a change of the class, and the spec under which it shows. What is in `open_class` is taken away, the rest added.
fn classes() -> Vec<(String, Value, Value)> {
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
    let mail = |change: Value| {
        let mut mail = json!({"smtpSecret": {"name": "a", "key": "k"}, "from": "a@b.test"});
        merge(&mut mail, &change);
        mail
    };
    let moderation = |change: Value| default("email", mail(json!({"moderation": mail(change)})));
    let cache = |name: &str, key: &str| default("cache", json!({"urlSecret": {"name": name, "key": key}}));
    let bypass =
        |name: &str, key: &str| default("limits", json!({"rateLimits": {"bypassSecret": {"name": name, "key": key}}}));
    let traces = |change: Value| {
        let mut traces = json!({"endpoint": "http://a.test:4318", "headersSecret": {"name": "a", "key": "k"}});
        merge(&mut traces, &change);
        default("traces", traces)
    };
    let own_services = json!({"services": {"crawlers": ["https://relay.test"]}});
    let fields = vec![
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
        ("allowed.services", allowed("services", json!(false)), own_services),
        (
            "allowed.kms",
            allowed("kms", json!(false)),
            json!({"keys": {"kms": {"keyId": "alias/pds", "region": "eu-west-1"}}}),
        ),
        ("proxying.headersTimeout", json!({"proxying": {"headersTimeout": "7s"}}), none()),
        ("proxying.bodyTimeout", json!({"proxying": {"bodyTimeout": "7s"}}), none()),
        ("proxying.maxResponse", json!({"proxying": {"maxResponse": "7Mi"}}), none()),
        ("proxying.maxRetries", json!({"proxying": {"maxRetries": 2}}), none()),
        ("proxying.callsPerPod", json!({"proxying": {"callsPerPod": 77}}), none()),
        ("proxying.http2", json!({"proxying": {"http2": true}}), none()),
        ("proxying.preferCompressed", json!({"proxying": {"preferCompressed": true}}), none()),
        ("lookups.backupNameServers", json!({"lookups": {"backupNameServers": ["192.0.2.1"]}}), none()),
        ("lookups.timeout", json!({"lookups": {"timeout": "7s"}}), none()),
        ("lookups.documentsStale", json!({"lookups": {"documentsStale": "2h"}}), none()),
        ("lookups.documentsMax", json!({"lookups": {"documentsMax": "2d"}}), none()),
        ("lookups.lexiconTimeout", json!({"lookups": {"lexiconTimeout": "7s"}}), none()),
        (
            "defaults.identity.invitesSince",
            default("identity", json!({"invitesSince": "2026-01-01T00:00:00Z"})),
            none(),
        ),
        ("defaults.identity.recoveryDidKey", default("identity", json!({"recoveryDidKey": RECOVERY})), none()),
        ("defaults.limits.rateLimits.bypassSecret.name", bypass("a", "k"), none()),
        ("defaults.limits.rateLimits.bypassSecret.key", bypass("a", "k"), none()),
        ("defaults.email.smtpSecret.name", default("email", mail(json!({}))), none()),
        ("defaults.email.smtpSecret.key", default("email", mail(json!({}))), none()),
        ("defaults.email.from", default("email", mail(json!({}))), none()),
        ("defaults.email.requiredFor", default("email", mail(json!({"requiredFor": ["Post"]}))), none()),
        (
            "defaults.email.language",
            default("email", mail(json!({"language": "fr", "templates": [template("fr", "SignIn", "a")]}))),
            none(),
        ),
        (
            "defaults.email.templates",
            default("email", mail(json!({"templates": [template("fr", "Layout", "a")]}))),
            none(),
        ),
        ("defaults.email.confirmationLink", default("email", mail(json!({"confirmationLink": false}))), none()),
        ("defaults.email.moderation.smtpSecret.name", moderation(json!({})), none()),
        ("defaults.email.moderation.smtpSecret.key", moderation(json!({})), none()),
        ("defaults.email.moderation.from", moderation(json!({})), none()),
        ("defaults.traces.headersSecret.name", traces(json!({})), none()),
        ("defaults.traces.headersSecret.key", traces(json!({})), none()),
        ("defaults.traces.serviceName", traces(json!({"serviceName": "pds"})), none()),
        ("defaults.traces.sampler", traces(json!({"sampler": "AlwaysOff"})), none()),
        ("defaults.traces.ratio", traces(json!({"sampler": "TraceIdRatio", "ratio": "0.5"})), none()),
        ("defaults.cache.urlSecret.name", cache("a", "k"), none()),
        ("defaults.cache.urlSecret.key", cache("a", "k"), none()),
    ];
    let mut fields: Vec<_> = fields.into_iter().map(|(field, change, spec)| (field.to_owned(), change, spec)).collect();
    fields.extend(shared().into_iter().map(|(field, value)| {
        let field = format!("defaults.{field}");
        let change = at(&field, &value);
        (field, change, none())
    }));
    fields
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

/// Whether the server has other variables with one class and spec than with the other. Settings are variables of the pods, which costs less to
/// see than the objects.
fn are_other_settings(one: (&Value, &Value), other: (&Value, &Value)) -> bool {
    let settings = |(change, spec): (&Value, &Value)| {
        let mut class = open_class();
        merge(&mut class, &json!({"spec": change}));
        World::of("demo", class, spec.clone()).wanted().ok().map(|wanted| wanted.settings)
    };
    matches!((settings(one), settings(other)), (Some(one), Some(other)) if one != other)
}

#[test]
fn every_field_of_an_instance_changes_something() {
    let mut others = BTreeMap::new();
    for (field, spec, other) in instances() {
        if are_other_settings((&json!({}), &spec), (&json!({}), &other)) {
            continue;
        }
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
        remove(&mut without, &field);
        if are_other_settings((&change, &spec), (&without, &spec)) {
            continue;
        }
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
        _ if field.starts_with("defaults.") && field.contains("Secret.") => at[last] = json!("z"),
        "defaults.email.from" | "defaults.email.moderation.from" => at[last] = json!("z@b.test"),
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
    known.extend(classes().into_iter().map(|(field, ..)| field));
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
