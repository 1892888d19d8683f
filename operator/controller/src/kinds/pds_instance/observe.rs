//! Reads what the spec refers to, and what exists. From the watches; of the API server only what no watch keeps and nobody asked for
//! before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::reflector::ObjectRef;
use operator_api::{PdsClass, PdsHostnameClaim, PdsInstance, Provisioner, Reason};

use super::component::{blobs, database, hostname, keys, name, secrets};
use super::observed::{BucketState, ClassFound, Observed, References};
use super::verdict::Verdict;
use super::wanted::{engine, in_bucket};
use super::{allowed, bucket_claim, claim};
use operator_runtime::secret::LONGEST;

use crate::context::Ctx;
use crate::options::CONTROLLER_NAME;

const TLS: &str = "tls.secretName";
const URI: &str = "database.external.uriSecret";
const PULL: &str = "pod.imagePullSecrets";

/// The class of an instance. Once chosen a class stays: another default later does not move an instance.
#[must_use]
pub fn class(ctx: &Ctx, pds: &PdsInstance) -> ClassFound {
    let chosen = pds.spec.class_name.as_ref().or(pds.status.as_ref().and_then(|status| status.class_name.as_ref()));
    class_or_default(ctx, chosen.map(String::as_str))
}

/// The class with a name, or the default where an instance chose none.
#[must_use]
pub fn class_or_default(ctx: &Ctx, chosen: Option<&str>) -> ClassFound {
    if let Some(name) = chosen {
        return ctx.classes.get(&ObjectRef::new(name)).map_or(ClassFound::None, ClassFound::Found);
    }
    let is_default = |class: &PdsClass| class.spec.default == Some(true) && ctx.options.serves(class);
    let mut defaults = ctx.classes.state_filter(is_default);
    if defaults.len() > 1 {
        let mut names: Vec<_> = defaults.iter().map(|class| class.name_any()).collect();
        names.sort();
        return ClassFound::Ambiguous(names);
    }
    defaults.pop().map_or(ClassFound::None, ClassFound::Found)
}

/// Whether this installation serves instances of a class. An instance whose class cannot be found belongs to the installation with the
/// usual name.
#[must_use]
pub fn is_served(ctx: &Ctx, class: &ClassFound) -> bool {
    match class {
        ClassFound::Found(class) => ctx.options.serves(class),
        ClassFound::None | ClassFound::Ambiguous(_) => ctx.options.controller_name == CONTROLLER_NAME,
    }
}

/// Reads what the instance needs.
///
/// # Errors
/// What the API server answers.
pub async fn observe(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<Observed> {
    let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
    let (sqlite, external) = engine(pds);
    let class = class(ctx, pds);
    let store = if let ClassFound::Found(class) = &class { class.spec.object_store.clone() } else { None };
    let store = store.filter(|_| in_bucket(pds));
    let is_given = store.as_ref().is_some_and(|store| store.provisioner == Provisioner::Given);
    let given_name = pds.spec.blob_store.as_ref().and_then(|blobs| blobs.s3.as_ref()?.secret_name.as_deref());
    let given_name = given_name.filter(|_| is_given);
    let admin_name = store.as_ref().and_then(|store| store.admin_secret_name.as_deref()).filter(|_| !is_given);
    let own_bucket = store.is_some() && !is_given;
    let (keys_name, pg_name, s3_name) = (keys::secret_name(&name), name::postgres(&name), blobs::secret_name(&name));
    let credential = ["accessKeyId", "secretAccessKey"];
    let secrets = &ctx.secrets;
    let find = async |wanted: Option<(&str, &str, &[&str])>| match wanted {
        Some((namespace, name, keys)) => secrets.get(namespace, name, keys).await,
        None => Ok(None),
    };
    let given_keys = ["bucket", "endpoint", "region", "accessKeyId", "secretAccessKey", "pathStyle"];
    let (keys, postgres_secret, s3_secret, given, admin, references) = tokio::try_join!(
        find(Some((&namespace, &keys_name, &keys::KEYS))),
        find((!sqlite && !external).then_some((&namespace, &pg_name, &["password"]))),
        find(own_bucket.then_some((&namespace, &s3_name, &credential))),
        find(given_name.map(|name| (namespace.as_str(), name, &given_keys[..]))),
        find(admin_name.map(|name| (ctx.options.namespace.as_str(), name, &credential[..]))),
        references(ctx, pds, &namespace, &class),
    )?;
    ctx.caches.complete(&ctx.client, &namespace, &name).await?;
    let children = ctx.caches.of_instance(&namespace, &name);
    let volume_name = if sqlite { name::sqlite_volume(&name) } else { database::volume_name(&name) };
    let volume = children.get::<PersistentVolumeClaim>(&volume_name).filter(|_| !external).cloned();
    let volume_can_grow = match &volume {
        Some(volume) => can_grow(ctx, pds, volume).await,
        None => false,
    };
    let limits = if let ClassFound::Found(class) = &class { class.spec.domains.as_deref() } else { None };
    let claims = claims(ctx, pds);
    let free: Vec<_> = hostname::domains(&pds.spec).into_iter().filter(|domain| !claims.contains_key(domain)).collect();
    let (mut claims_above, mut claims_below) = (BTreeMap::new(), BTreeMap::new());
    for (domain, limits) in limits.iter().flat_map(|limits| free.iter().map(move |domain| (domain, limits))) {
        claims_above.extend(claim::above(ctx, &namespace, domain, limits).map(|claim| (domain.clone(), claim)));
        claims_below.extend(claim::below(ctx, &namespace, domain, limits).map(|claim| (domain.clone(), claim)));
    }
    let bucket_claims = match &class {
        ClassFound::Found(class) if own_bucket => bucket_claim::of(ctx, &namespace, &class.name_any()),
        _ => Vec::new(),
    };
    let uid = pds.uid().unwrap_or_default();
    let bucket = ctx.buckets.get(&uid).map(|((question, seen), age)| BucketState { question, seen, age });
    Ok(Observed {
        class,
        namespace_labels: ctx.namespace_labels(&namespace),
        claims,
        needless_claims: needless_claims(ctx, pds, &namespace),
        claims_above,
        claims_below,
        bucket_claims,
        admin,
        operator_namespace: ctx.options.namespace.clone(),
        seed: ctx.seed.clone(),
        cluster: ctx.cluster.clone(),
        keys,
        postgres_secret,
        s3_secret,
        given,
        references,
        volume,
        volume_can_grow,
        refusals: ctx.refusals.of(&children),
        children,
        bucket,
        scrape: ctx.scrapes.get(&uid),
        now: Timestamp::now(),
    })
}

fn claims(ctx: &Ctx, pds: &PdsInstance) -> BTreeMap<String, Arc<PdsHostnameClaim>> {
    let domains = hostname::domains(&pds.spec).into_iter();
    domains.filter_map(|domain| ctx.claim(&domain).map(|claim| (domain, claim))).collect()
}

fn needless_claims(ctx: &Ctx, pds: &PdsInstance, namespace: &str) -> Vec<Arc<PdsHostnameClaim>> {
    let (name, domains) = (pds.name_any(), hostname::domains(&pds.spec));
    let is_needless = |claim: &PdsHostnameClaim| {
        hostname::is_held_by(claim, namespace, &name) && !domains.contains(&claim.spec.hostname)
    };
    ctx.claims.state_filter(is_needless)
}

/// Whether the StorageClass allows the volume to grow. Asks the API server only while the spec wants a larger volume.
async fn can_grow(ctx: &Ctx, pds: &PdsInstance, volume: &PersistentVolumeClaim) -> bool {
    let database = pds.spec.database.as_ref();
    let wanted = database.and_then(|database| match (&database.postgres, &database.sqlite) {
        (Some(postgres), _) => postgres.size.as_ref(),
        (_, Some(sqlite)) => sqlite.size.as_ref(),
        _ => None,
    });
    let now = super::component::volume::size(volume).unwrap_or_default();
    if !wanted.is_some_and(|wanted| operator_runtime::compare::is_more(&wanted.0, &now)) {
        return false;
    }
    let Some(class) = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) else { return false };
    if let Some((known, age)) = ctx.storage_classes.get(class)
        && age < Duration::from_secs(60)
    {
        return known;
    }
    // Without the right to read storage classes the API server itself refuses a volume that cannot grow.
    let found = Api::<StorageClass>::all(ctx.client.clone()).get_opt(class).await;
    let allowed = found.map_or(true, |class| class.is_some_and(|class| class.allow_volume_expansion == Some(true)));
    ctx.storage_classes.put(class, allowed);
    allowed
}

/// A Secret that an instance uses.
struct Used<'a> {
    /// The name by which it is found later.
    field: &'static str,
    /// The field as people find it.
    place: String,
    secret: &'a str,
    /// The keys that it needs.
    keys: Vec<&'a str>,
}

/// The Secrets that a spec names, and the defaults of its class where the spec says nothing.
fn used_secrets<'a>(pds: &'a PdsInstance, class: Option<&'a PdsClass>) -> Vec<Used<'a>> {
    let of_spec = |field, secret, keys| Used { field, place: format!("spec.{field}"), secret, keys };
    let mut used = Vec::new();
    if let Some(tls) = &pds.spec.tls {
        used.push(of_spec(TLS, tls.secret_name.as_str(), vec!["tls.crt", "tls.key"]));
    }
    if let Some(external) = pds.spec.database.as_ref().and_then(|database| database.external.as_ref()) {
        used.push(of_spec(URI, external.uri_secret.name.as_str(), vec![external.uri_secret.key.as_str()]));
    }
    used.extend(secrets::of_services(&pds.spec, class).into_iter().map(|one| Used {
        field: one.field,
        place: one.place(),
        secret: &one.secret.name,
        keys: vec![&one.secret.key],
    }));
    used
}

/// Whether an instance uses this Secret of its namespace, if it is of this class.
#[must_use]
pub fn uses_secret(pds: &PdsInstance, class: Option<&PdsClass>, secret: &str) -> bool {
    let name = pds.name_any();
    let given = pds.spec.blob_store.as_ref().and_then(|blobs| blobs.s3.as_ref()?.secret_name.as_deref());
    used_secrets(pds, class).iter().any(|used| used.secret == secret)
        || pull_secrets(pds).any(|name| name == secret)
        || given == Some(secret)
        || [keys::secret_name(&name), name::postgres(&name), blobs::secret_name(&name)].iter().any(|own| own == secret)
}

fn pull_secrets(pds: &PdsInstance) -> impl Iterator<Item = &str> {
    let secrets = pds.spec.pod.iter().flat_map(|pod| pod.image_pull_secrets.iter().flatten());
    secrets.map(String::as_str)
}

async fn references(ctx: &Ctx, pds: &PdsInstance, namespace: &str, class: &ClassFound) -> kube::Result<References> {
    let mut found = References::default();
    let known = if let ClassFound::Found(class) = class { Some(&**class) } else { None };
    for Used { field, place, secret: name, keys } in used_secrets(pds, known) {
        let content = ctx.secrets.get(namespace, name, &keys).await?;
        let values = content.as_ref().map(|content| &content.values);
        let missing = keys.iter().find(|key| !values.is_some_and(|values| values.contains_key(**key)));
        let labels = content.as_ref().and_then(|content| content.metadata.labels.as_ref());
        let label = known.and_then(|class| allowed::secret_labels(class, labels).err());
        let too_long = content.as_ref().and_then(|content| content.too_long.first());
        let problem = match (missing, label) {
            _ if too_long.is_some() => Some((
                Reason::CredentialsInvalid,
                format!("{place}: a value of Secret {name} is longer than {LONGEST} bytes"),
            )),
            (Some(key), _) => {
                let message = format!("{place}: there is no Secret {name} with the key {key}");
                Some((Reason::CredentialsInvalid, message))
            }
            (None, Some(label)) => {
                let message = format!("{place}: Secret {name} lacks the label {label} that its PdsClass asks for");
                Some((Reason::NotAllowed, message))
            }
            _ => None,
        };
        if let Some((reason, message)) = problem {
            found.problems.insert(field, Verdict::bad(reason, message));
        }
        match field {
            URI => found.database = content,
            TLS => found.tls = content,
            service => found.services.extend(content.map(|content| (service, content))),
        }
    }
    // A pull secret that comes later, without the labels, would be in the pods already.
    let ClassFound::Found(class) = class else { return Ok(found) };
    if allowed::secret_labels(class, None).is_ok() {
        return Ok(found);
    }
    for name in pull_secrets(pds) {
        let content = ctx.secrets.get(namespace, name, &[]).await?;
        let labels = content.as_ref().and_then(|content| content.metadata.labels.as_ref());
        if let Err(label) = allowed::secret_labels(class, labels) {
            let message = format!("spec.{PULL}: Secret {name} lacks the label {label} that its PdsClass asks for");
            found.problems.insert(PULL, Verdict::bad(Reason::NotAllowed, message));
        }
    }
    Ok(found)
}
