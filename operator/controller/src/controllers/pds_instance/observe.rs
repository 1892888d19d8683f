//! Reads what the spec refers to, and the data that may be there already.

use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::api::{Api, ListParams};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use operator_api::{PdsClass, PdsInstance};

use super::names::Names;
use crate::context::Ctx;
use crate::k8s::apply::{Object, find};

const FOR_EVER: Duration = Duration::MAX;
const URI_SECRET: &str = "database.external.uriSecret";

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The class, or why there is none.
    pub class: ClassFound,
    /// The Secret with the class's S3 credential.
    pub s3_admin: Option<Secret>,
    /// Unique over time, other than the namespace's name.
    pub namespace_uid: String,
    /// The keys.
    pub keys: Option<Secret>,
    /// The password of PostgreSQL.
    pub postgres_secret: Option<Secret>,
    /// The credential of the bucket.
    pub s3_secret: Option<Secret>,
    /// The volume of PostgreSQL or SQLite.
    pub volume: Option<PersistentVolumeClaim>,
    /// PostgreSQL.
    pub postgres: Option<StatefulSet>,
    /// The Secrets that the spec names.
    pub references: References,
}

/// The Secrets that a spec names.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// What is not there.
    pub missing: Vec<String>,
    /// The URL of a database that exists.
    pub database_url: Option<ByteString>,
}

/// The class of an instance.
#[derive(Clone, Debug, Default)]
pub enum ClassFound {
    /// No class is there, or none is the default.
    #[default]
    None,
    /// Several are the default.
    Ambiguous(Vec<String>),
    /// This one.
    Found(Box<PdsClass>),
}

/// Reads what the kind of instance needs; from the watches, where they have seen it.
///
/// # Errors
/// What the API server answers.
pub async fn observe(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<Observed> {
    let namespace = pds.namespace().unwrap_or_default();
    let names = Names(pds.name_any());
    let (sqlite, external) = engine(pds);
    let own = !sqlite && !external;
    let volume = if sqlite { names.sqlite_volume() } else { names.postgres_volume() };
    let (keys, postgres, s3) = (names.keys(), names.postgres(), names.s3());
    let (class, keys, postgres_secret, s3_secret, volume, postgres, namespace_uid, references) = tokio::try_join!(
        class(ctx, pds),
        find::<Secret>(ctx, &namespace, &keys),
        find_if::<Secret>(own, ctx, &namespace, &postgres),
        find_if::<Secret>(in_bucket(pds), ctx, &namespace, &s3),
        find_if::<PersistentVolumeClaim>(!external, ctx, &namespace, &volume),
        find_if::<StatefulSet>(own, ctx, &namespace, &postgres),
        namespace_uid(ctx, pds, &namespace),
        references(ctx, pds, &namespace),
    )?;
    let s3 = if let ClassFound::Found(class) = &class { class.spec.s3.as_ref() } else { None };
    let s3_admin = match s3 {
        Some(s3) if in_bucket(pds) => class_secret(ctx, &s3.admin_secret_name).await?,
        _ => None,
    };
    Ok(Observed { class, s3_admin, namespace_uid, keys, postgres_secret, s3_secret, volume, postgres, references })
}

/// Whether the database is SQLite, and whether it is one that exists.
fn engine(pds: &PdsInstance) -> (bool, bool) {
    let database = pds.spec.database.as_ref();
    let sqlite = database.is_some_and(|database| database.sqlite.is_some());
    (sqlite, database.is_some_and(|database| database.external.is_some()))
}

/// Whether the blobs are in a bucket.
#[must_use]
pub fn in_bucket(pds: &PdsInstance) -> bool {
    match &pds.spec.blob_store {
        Some(wanted) => wanted.disk.is_none(),
        None => !engine(pds).0,
    }
}

async fn find_if<K: Object>(wanted: bool, ctx: &Ctx, namespace: &str, name: &str) -> kube::Result<Option<K>> {
    if wanted { find(ctx, namespace, name).await } else { Ok(None) }
}

/// It cannot change during the life of an instance.
async fn namespace_uid(ctx: &Ctx, pds: &PdsInstance, namespace: &str) -> kube::Result<String> {
    let uid = pds.uid().unwrap_or_default();
    if let Some(known) = ctx.homes.get(&uid, FOR_EVER) {
        return Ok(known);
    }
    let home = Api::<Namespace>::all(ctx.client.clone()).get(namespace).await?;
    let found = home.meta().uid.clone().unwrap_or_default();
    ctx.homes.put(uid, found.clone());
    Ok(found)
}

async fn class_secret(ctx: &Ctx, name: &str) -> kube::Result<Option<Secret>> {
    let seen = ctx.class_secrets.as_ref().and_then(|store| store.get(&ObjectRef::new(name).within(&ctx.namespace)));
    match seen {
        Some(seen) => Ok(Some(Secret::clone(&seen))),
        None => Api::namespaced(ctx.client.clone(), &ctx.namespace).get_opt(name).await,
    }
}

async fn class(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<ClassFound> {
    let api = Api::<DeserializeGuard<PdsClass>>::all(ctx.client.clone());
    let seen = ctx.cache.all::<PdsClass>().await.unwrap_or_default();
    // Once chosen, a class stays: another default later does not move an instance.
    let chosen = pds.spec.class_name.as_ref().or(pds.status.as_ref().and_then(|status| status.class_name.as_ref()));
    if let Some(name) = chosen {
        let found = match seen.into_iter().find(|class| class.name_any() == *name) {
            Some(seen) => Some(PdsClass::clone(&seen)),
            None => Api::<PdsClass>::all(ctx.client.clone()).get_opt(name).await?,
        };
        return Ok(found.map_or(ClassFound::None, |class| ClassFound::Found(class.into())));
    }
    let all: Vec<_> = if seen.is_empty() {
        let all = api.list(&ListParams::default()).await?;
        all.into_iter().filter_map(|guard| guard.0.ok()).collect()
    } else {
        seen.iter().map(|class| PdsClass::clone(class)).collect()
    };
    let mut defaults: Vec<_> = all.into_iter().filter(|class| class.spec.default == Some(true)).collect();
    if defaults.len() > 1 {
        let mut names: Vec<_> = defaults.iter().map(ResourceExt::name_any).collect();
        names.sort();
        return Ok(ClassFound::Ambiguous(names));
    }
    Ok(defaults.pop().map_or(ClassFound::None, |class| ClassFound::Found(class.into())))
}

/// The Secrets that a spec names, with the field and the keys that it needs.
fn named(pds: &PdsInstance) -> Vec<(&'static str, &str, Vec<&str>)> {
    let mut named = Vec::new();
    if let Some(tls) = &pds.spec.tls {
        named.push(("tls.secretName", tls.secret_name.as_str(), vec!["tls.crt", "tls.key"]));
    }
    if let Some(external) = pds.spec.database.as_ref().and_then(|database| database.external.as_ref()) {
        named.push((URI_SECRET, external.uri_secret.name.as_str(), vec![external.uri_secret.key.as_str()]));
    }
    named
}

/// Whether a spec names this Secret.
#[must_use]
pub fn names_secret(pds: &PdsInstance, secret: &str) -> bool {
    named(pds).iter().any(|(_, name, _)| *name == secret)
}

async fn references(ctx: &Ctx, pds: &PdsInstance, namespace: &str) -> kube::Result<References> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), namespace);
    let mut found = References::default();
    for (field, name, keys) in named(pds) {
        let data = secrets.get_opt(name).await?.and_then(|secret| secret.data).unwrap_or_default();
        for key in &keys {
            match data.get(*key) {
                Some(value) if field == URI_SECRET => found.database_url = Some(value.clone()),
                Some(_) => {}
                None => found.missing.push(format!("spec.{field}: there is no Secret {name} with the key {key}")),
            }
        }
    }
    Ok(found)
}
