//! Reads what the spec refers to, and the data that may be there already.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};
use operator_api::{PdsClass, PdsInstance};

use super::names::Names;
use crate::context::Ctx;

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
    /// The Secrets that the spec names: whether each is there with these keys.
    pub missing_references: Vec<String>,
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

/// Reads everything.
///
/// # Errors
/// What the API server answers.
pub async fn observe(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<Observed> {
    let client = || ctx.client.clone();
    let namespace = pds.namespace().unwrap_or_default();
    let names = Names(pds.name_any());
    let secrets = Api::<Secret>::namespaced(client(), &namespace);
    let sqlite = pds.spec.database.as_ref().is_some_and(|database| database.sqlite.is_some());
    let volume = if sqlite { names.sqlite_volume() } else { names.postgres_volume() };
    let namespaces = Api::<Namespace>::all(client());
    let volumes = Api::<PersistentVolumeClaim>::namespaced(client(), &namespace);
    let stateful_sets = Api::<StatefulSet>::namespaced(client(), &namespace);
    let (keys_name, postgres_name, s3_name) = (names.keys(), names.postgres(), names.s3());
    let (class, keys, postgres_secret, s3_secret, volume, postgres, home, missing_references) = tokio::try_join!(
        class(ctx, pds),
        secrets.get_opt(&keys_name),
        secrets.get_opt(&postgres_name),
        secrets.get_opt(&s3_name),
        volumes.get_opt(&volume),
        stateful_sets.get_opt(&postgres_name),
        namespaces.get(&namespace),
        missing_references(&secrets, pds),
    )?;
    let s3 = if let ClassFound::Found(class) = &class { class.spec.s3.as_ref() } else { None };
    let s3_admin = match s3 {
        Some(s3) => Api::namespaced(client(), &ctx.namespace).get_opt(&s3.admin_secret_name).await?,
        None => None,
    };
    let namespace_uid = home.meta().uid.clone().unwrap_or_default();
    Ok(Observed {
        class,
        s3_admin,
        namespace_uid,
        keys,
        postgres_secret,
        s3_secret,
        volume,
        postgres,
        missing_references,
    })
}

async fn class(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<ClassFound> {
    let api = Api::<PdsClass>::all(ctx.client.clone());
    // Once chosen, a class stays: another default later does not move an instance.
    let chosen = pds.spec.class_name.as_ref().or(pds.status.as_ref().and_then(|status| status.class_name.as_ref()));
    if let Some(name) = chosen {
        return Ok(api.get_opt(name).await?.map_or(ClassFound::None, |class| ClassFound::Found(class.into())));
    }
    let all = api.list(&ListParams::default()).await?.items;
    let mut defaults: Vec<_> = all.into_iter().filter(|class| class.spec.default == Some(true)).collect();
    if defaults.len() > 1 {
        return Ok(ClassFound::Ambiguous(defaults.iter().map(ResourceExt::name_any).collect()));
    }
    Ok(defaults.pop().map_or(ClassFound::None, |class| ClassFound::Found(class.into())))
}

async fn missing_references(secrets: &Api<Secret>, pds: &PdsInstance) -> kube::Result<Vec<String>> {
    let mut wanted = Vec::new();
    if let Some(tls) = &pds.spec.tls {
        wanted.extend(["tls.crt", "tls.key"].map(|key| ("tls.secretName", tls.secret_name.as_str(), key)));
    }
    if let Some(external) = pds.spec.database.as_ref().and_then(|database| database.external.as_ref()) {
        wanted.push(("database.external.uriSecret", &external.uri_secret.name, &external.uri_secret.key));
    }
    let mut missing = Vec::new();
    for (field, name, key) in wanted {
        let secret = secrets.get_opt(name).await?;
        if !secret.is_some_and(|secret| secret.data.is_some_and(|data| data.contains_key(key))) {
            missing.push(format!("spec.{field}: there is no Secret {name} with the key {key}"));
        }
    }
    Ok(missing)
}
