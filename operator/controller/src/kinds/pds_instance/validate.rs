//! Fills in defaults and refuses a spec that contradicts itself, the class or existing objects. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::{Resource, ResourceExt};
use operator_api::{
    ConditionType, KmsKey, MailTemplate, NetworkPolicyMode, ObjectStore, PdsClass, PdsInstance, PdsInstanceSpec,
    Provisioner, Quantity, Reason, RecordRules, Sqlite,
};
use operator_object_store::{Given, Service, bucket_name, is_of_same_instance, looks_derived};
use operator_runtime::compare::is_more;
use operator_runtime::ownership::Owner;
use pds_config::{Settings, is_collection_rule};

use super::observed::{ClassFound, Observed};
use super::settings::{self, setting};
use super::verdict::Verdict;
use super::wanted::{Blobs, Claim, Database, NetworkRules, Refusal, Store, Wanted, same_endpoint};
use super::{allowed, component};

const VOLUME_SIZE: &str = "10Gi";
/// Maximum size of the templates of mails. The operator keeps them of every instance.
const TEMPLATE_BYTES: usize = 128 << 10;
/// The language of the built-in templates.
const BUILT_IN: &str = "en";

fn invalid(message: String) -> Refusal {
    Refusal { reason: Reason::InvalidSpec, message }
}

/// Checks the spec against the class and what exists.
///
/// # Errors
/// The reason and message of the first contradiction. A person has to change the spec, the class or a Secret.
pub fn validate(pds: &PdsInstance, observed: &Observed) -> Result<Wanted, Refusal> {
    let class = class(pds, observed)?;
    let spec = &pds.spec;
    allowed::check(spec, &class, &observed.namespace_labels)?;
    if let Some(Verdict { reason, message, .. }) = observed.references.problem("pod.imagePullSecrets") {
        return Err(Refusal { reason, message });
    }
    let database = database(spec, &class)?;
    let mut complaints = Vec::new();
    let replicas = replicas(pds, &class, &database, observed, &mut complaints)?;
    let volume_is_limited = storage(&class, &database, observed, &mut complaints)?;
    let blobs = blobs(pds, &class, observed, &database)?;
    let tls = spec.tls.as_ref().map(|tls| tls.secret_name.clone());
    let settings = Settings::from_values(|name| setting(name, pds, &class, &database, &blobs))
        .map_err(|errors| invalid(format!("spec: {errors}")))?;
    let records = records(spec, &class)?;
    let kms = kms(spec)?;
    let templates = templates(spec, &class)?;
    let reference = pds.controller_owner_ref(&()).ok_or_else(|| invalid("metadata.uid: is not set".into()))?;
    let wanted = Wanted {
        url: settings.service.public_url(),
        settings: settings.render(),
        records,
        kms,
        templates,
        image: spec.image.clone().unwrap_or_else(|| class.spec.images.pds.clone()),
        network: network(spec, &class),
        pod: spec.pod.clone().unwrap_or_default(),
        platform_chooses_user: class.spec.run_as == Some(operator_api::RunAs::Platform),
        instance: pds.name_any(),
        owner: Owner { reference, namespace: pds.namespace().unwrap_or_default() },
        class,
        replicas,
        database,
        blobs,
        tls,
        volume_is_limited,
        complaints,
    };
    match wanted.own_role() {
        Some(role) if wanted.uses_role() => {
            let class = wanted.class.name_any();
            Err(invalid(format!(
                "spec.keys.kms.roleArn: {role:?}; PdsClass {class:?} gives its instances roles; leave the field out"
            )))
        }
        _ => Ok(wanted),
    }
}

fn class(pds: &PdsInstance, observed: &Observed) -> Result<Arc<PdsClass>, Refusal> {
    let message = match &observed.class {
        ClassFound::Found(class) => return Ok(class.clone()),
        ClassFound::Ambiguous(names) => {
            format!("spec.className: absent, and several classes are the default: {}", names.join(", "))
        }
        ClassFound::None => match &pds.spec.class_name {
            Some(name) => format!("spec.className: there is no PdsClass {name:?}"),
            None => "spec.className: absent, and no PdsClass is the default".into(),
        },
    };
    Err(Refusal { reason: Reason::ClassNotFound, message })
}

fn database(spec: &PdsInstanceSpec, class: &PdsClass) -> Result<Database, Refusal> {
    let wanted = spec.database.clone().unwrap_or_default();
    if let Some(Sqlite { size, storage_class_name }) = wanted.sqlite {
        return Ok(Database::Sqlite { volume: claim(size, storage_class_name, class) });
    }
    if let Some(external) = wanted.external {
        return Ok(Database::External { secret: external.uri_secret.name, key: external.uri_secret.key });
    }
    let image = class.spec.images.postgres.clone().ok_or_else(|| {
        let class = class.name_any();
        invalid(format!(
            "spec.database.postgres: PdsClass {class:?} names no images.postgres; allowed: external, sqlite"
        ))
    })?;
    let postgres = wanted.postgres.unwrap_or_default();
    let volume = claim(postgres.size, postgres.storage_class_name, class);
    Ok(Database::Postgres { image, volume, resources: postgres.resources })
}

fn claim(size: Option<Quantity>, storage_class_name: Option<String>, class: &PdsClass) -> Claim {
    let size_is_given = size.is_some();
    let max = class.spec.limits.as_ref().and_then(|limits| limits.max_storage.as_ref());
    let fallback = max.filter(|max| is_more(VOLUME_SIZE, &max.0)).map_or(VOLUME_SIZE, |max| &max.0);
    Claim { size: size.map_or_else(|| fallback.into(), |size| size.0), size_is_given, storage_class_name }
}

/// A limit that is lowered refuses growth and stops nothing: an instance that runs keeps what it has.
fn replicas(
    pds: &PdsInstance,
    class: &PdsClass,
    database: &Database,
    observed: &Observed,
    complaints: &mut Vec<(ConditionType, Verdict)>,
) -> Result<i32, Refusal> {
    let sqlite = matches!(database, Database::Sqlite { .. });
    let max = class.spec.limits.as_ref().and_then(|limits| limits.max_replicas);
    let fallback = if sqlite { 1 } else { 2.min(max.unwrap_or(2)) };
    let replicas = pds.spec.replicas.unwrap_or(fallback);
    if sqlite && replicas > 1 {
        return Err(invalid(format!("spec.replicas: {replicas}; allowed with database.sqlite: 0, 1")));
    }
    let Some(max) = max.filter(|max| replicas > *max) else { return Ok(replicas) };
    let message = format!("spec.replicas: {replicas}; PdsClass {:?} allows at most {max}", class.name_any());
    match component::server::live_replicas(pds, observed) {
        None => Err(Refusal { reason: Reason::LimitExceeded, message }),
        Some(live) => {
            // Whoever may scale the Deployment by hand gets no more than the operator had given.
            let given = pds.status.as_ref().and_then(|status| status.replicas).unwrap_or(live);
            let kept = live.min(given).max(max).min(replicas);
            if kept < replicas {
                let message = format!("{message}; {kept} are kept");
                complaints.push((ConditionType::ClassAccepted, Verdict::bad(Reason::LimitExceeded, message)));
            }
            Ok(kept)
        }
    }
}

/// Whether a volume that exists keeps its size. One that does not exist is refused.
fn storage(
    class: &PdsClass,
    database: &Database,
    observed: &Observed,
    complaints: &mut Vec<(ConditionType, Verdict)>,
) -> Result<bool, Refusal> {
    let Some(max) = class.spec.limits.as_ref().and_then(|limits| limits.max_storage.as_ref()) else { return Ok(false) };
    let asked = database.volume().filter(|volume| volume.size_is_given && is_more(&volume.size, &max.0));
    let Some(volume) = asked else { return Ok(false) };
    let name = class.name_any();
    let message = format!("spec.database: size {:?}; PdsClass {name:?} allows at most {:?}", volume.size, max.0);
    let existing = observed.volume.as_ref().and_then(component::volume::size);
    match existing {
        None => Err(Refusal { reason: Reason::LimitExceeded, message }),
        Some(size) if is_more(&volume.size, &size) => {
            let message = format!("{message}; the volume keeps {size:?}");
            complaints.push((ConditionType::ClassAccepted, Verdict::bad(Reason::LimitExceeded, message)));
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

fn blobs(pds: &PdsInstance, class: &PdsClass, observed: &Observed, database: &Database) -> Result<Blobs, Refusal> {
    let wanted = pds.spec.blob_store.as_ref();
    let sqlite = matches!(database, Database::Sqlite { .. });
    let disk = wanted.is_some_and(|wanted| wanted.disk.is_some()) || (wanted.is_none() && sqlite);
    if disk {
        let message = "spec.blobStore.disk: only with database.sqlite".to_owned();
        return if sqlite { Ok(Blobs::Disk) } else { Err(invalid(message)) };
    }
    let name = class.name_any();
    let store = class.spec.object_store.as_ref().ok_or_else(|| {
        invalid(format!("spec.blobStore.s3: PdsClass {name:?} has no objectStore; allowed: disk, with sqlite"))
    })?;
    let s3 = wanted.and_then(|wanted| wanted.s3.clone()).unwrap_or_default();
    if store.provisioner == Provisioner::Given {
        return given(s3.secret_name, class, store, observed);
    }
    if let Some(secret) = s3.secret_name {
        let message = "makes buckets itself; leave the field out, or use a class whose provisioner is Given";
        return Err(invalid(format!("spec.blobStore.s3.secretName: {secret:?}; PdsClass {name:?} {message}")));
    }
    let namespace = pds.namespace().unwrap_or_default();
    let derived = bucket_name(store.bucket_prefix.as_deref(), &namespace, &pds.name_any());
    let bucket = s3.bucket.as_ref().unwrap_or(&derived);
    if looks_derived(bucket) && !is_of_same_instance(bucket, &derived) {
        let message = format!(
            "spec.blobStore.s3.bucket: {bucket:?}; allowed: names that do not end in a hyphen and 16 letters and digits, because derived names do"
        );
        return Err(Refusal { reason: Reason::NotAllowed, message });
    }
    let resolved = pds.status.as_ref().and_then(|status| status.resolved.clone()).unwrap_or_default();
    // A bucket in use is in a service that is known; without an endpoint that is Amazon's own.
    let service = resolved.bucket.is_some().then_some(resolved.object_store_endpoint);
    // The Secret of the keys tells where the status is lost.
    let noted = || component::keys::noted(observed.keys.as_deref(), component::keys::BUCKET);
    let is_known = resolved.bucket.is_some();
    if let Some(used) = resolved.bucket.or_else(noted).filter(|used| used != bucket) {
        // A tenant can write the note, so it chooses between the names that the operator may have derived, and names no other bucket.
        if s3.bucket.is_some() || !(is_known || is_of_same_instance(&used, &derived)) {
            let asked = s3.bucket.as_ref().map_or_else(|| "absent".into(), |bucket| format!("{bucket:?}"));
            let message = format!("spec.blobStore.s3.bucket: {asked}; the blobs are in {used:?}; name that bucket");
            return Err(invalid(message));
        }
        // A prefix that the class was given later is for new instances.
        return Ok(provisioned(used.clone(), Some(used), class, store, service));
    }
    Ok(provisioned(bucket.clone(), s3.bucket, class, store, service))
}

/// Keeps the service in which the bucket is. Another endpoint of the class is only `proposed` until the bucket is found there.
fn provisioned(
    bucket: String,
    given_name: Option<String>,
    class: &PdsClass,
    store: &ObjectStore,
    resolved: Option<Option<String>>,
) -> Blobs {
    let now = Store::of(class, store);
    match resolved {
        Some(endpoint) if !same_endpoint(endpoint.as_deref(), store.endpoint.as_deref()) => {
            let used = ObjectStore { endpoint: endpoint.clone(), ..store.clone() };
            let store = Store { service: Service { endpoint, ..now.service.clone() }, class: used };
            Blobs::Provisioned { bucket, given_name, store: store.into(), proposed: Some(now.into()) }
        }
        _ => Blobs::Provisioned { bucket, given_name, store: now.into(), proposed: None },
    }
}

fn given(secret: Option<String>, class: &PdsClass, store: &ObjectStore, observed: &Observed) -> Result<Blobs, Refusal> {
    let field = "spec.blobStore.s3.secretName";
    let Some(secret) = secret else {
        let name = class.name_any();
        return Err(invalid(format!("{field}: absent; PdsClass {name:?} makes no buckets, so name a Secret with one")));
    };
    let credentials = |message: String| Refusal { reason: Reason::CredentialsInvalid, message };
    let content =
        observed.given.as_ref().ok_or_else(|| credentials(format!("{field}: there is no Secret {secret}")))?;
    if let Err(label) = allowed::secret_labels(class, content.metadata.labels.as_ref()) {
        let message = format!("{field}: Secret {secret} lacks the label {label} that its PdsClass asks for");
        return Err(Refusal { reason: Reason::NotAllowed, message });
    }
    let given =
        Given::parse(&content.values).map_err(|error| credentials(format!("{field}: Secret {secret}: {error}")))?;
    let given_endpoint = given.service.endpoint.as_deref();
    if store.endpoint.is_some() && !same_endpoint(given_endpoint, store.endpoint.as_deref()) {
        let only = store.endpoint.as_deref().unwrap_or_default();
        let message = format!("{field}: Secret {secret} names another endpoint; its PdsClass allows {only}");
        return Err(Refusal { reason: Reason::NotAllowed, message });
    }
    Ok(Blobs::Given { secret, bucket: given.bucket, service: given.service })
}

/// The templates of mails. What the PDS needs of them to start is checked here, other than their syntax.
fn templates(spec: &PdsInstanceSpec, class: &PdsClass) -> Result<Vec<MailTemplate>, Refusal> {
    let Some(email) = settings::email(spec, class) else { return Ok(Vec::new()) };
    let templates = email.templates.clone().unwrap_or_default();
    let bytes: usize = templates.iter().map(|one| one.html.len() + one.text.as_ref().map_or(0, String::len)).sum();
    if bytes > TEMPLATE_BYTES {
        return Err(invalid(format!("spec.email.templates: {bytes} bytes; allowed: {TEMPLATE_BYTES}")));
    }
    let mut known = BTreeSet::new();
    if let Some(again) = templates.iter().find(|one| !known.insert((&one.language, one.mail))) {
        let MailTemplate { language, mail, .. } = again;
        return Err(invalid(format!("spec.email.templates: {mail:?} in {language:?} is there twice")));
    }
    let language = email.language.as_deref().unwrap_or(BUILT_IN).to_ascii_lowercase();
    if language != BUILT_IN && !known.iter().any(|(known, _)| **known == language) {
        return Err(invalid(format!(
            "spec.email.language: {language:?}, of which there are no templates; allowed: {BUILT_IN}, and languages of spec.email.templates"
        )));
    }
    Ok(templates)
}

/// The PLC rotation key in AWS KMS.
fn kms(spec: &PdsInstanceSpec) -> Result<Option<KmsKey>, Refusal> {
    let Some(kms) = spec.keys.as_ref().and_then(|keys| keys.kms.as_ref()) else { return Ok(None) };
    let id = &kms.key_id;
    let wrong =
        |why| invalid(format!("spec.keys.kms.keyId: {id:?} {why}; allowed: an ID, alias/NAME, or an ARN of either"));
    pds_config::check("PDS_PLC_ROTATION_KEY_KMS_KEY_ID", id).map_err(wrong)?;
    Ok(Some(kms.clone()))
}

/// The rules for records. The PDS does not start with a rule that it cannot read, so such a rule is refused here.
fn records(spec: &PdsInstanceSpec, class: &PdsClass) -> Result<Option<RecordRules>, Refusal> {
    let rules = settings::records(spec, class);
    let RecordRules { allow, deny, max_bytes } = rules.clone().unwrap_or_default();
    let sizes = max_bytes.into_iter().flatten().map(|(name, _)| ("maxBytes", name));
    let lists = [("allow", allow), ("deny", deny)];
    let lists = lists.into_iter().flat_map(|(field, list)| list.into_iter().flatten().map(move |name| (field, name)));
    match lists.chain(sizes).find(|(_, name)| !is_collection_rule(name)) {
        None => Ok(rules),
        Some((field, name)) => Err(invalid(format!(
            "spec.records.{field}: {name:?} is no collection; allowed: app.example.thing, app.example.*, *"
        ))),
    }
}

fn network(spec: &PdsInstanceSpec, class: &PdsClass) -> Option<NetworkRules> {
    if spec.network.as_ref().and_then(|network| network.policy) == Some(NetworkPolicyMode::Off) {
        return None;
    }
    let allowed = class.spec.allowed.clone().unwrap_or_default();
    let outbound = class.spec.outbound_allow.clone().unwrap_or_default();
    let networks = outbound.into_iter().filter(|entry| entry.contains('/')).collect();
    let peers = allowed.egress_to.unwrap_or_default();
    let own_pods = spec.network.as_ref().and_then(|network| network.egress_to.clone()).unwrap_or_default();
    Some(NetworkRules { private: allowed.private_egress == Some(true), networks, peers, own_pods })
}
