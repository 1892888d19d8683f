//! Fills in defaults and refuses what cannot be. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use operator_api::{
    Deletion, DeletionPolicy, Invites, NetworkPolicyMode, PdsClass, PdsInstance, PdsInstanceSpec, PodSettings, S3Class,
    Volume,
};
use pds_config::Settings;

use super::names::Names;
use super::observe::{ClassFound, Observed};
use super::reason::Reason;
use crate::k8s::hash;

const VOLUME_SIZE: &str = "10Gi";

/// A spec with nothing left open.
#[derive(Clone, Debug)]
pub struct Validated {
    /// Names of its objects.
    pub names: Names,
    /// Where it lives.
    pub namespace: String,
    /// Makes children go with the instance.
    pub owner: OwnerReference,
    /// The class in use.
    pub class_name: String,
    /// Image of the PDS.
    pub image: String,
    /// Pods of the PDS.
    pub replicas: i32,
    /// The database.
    pub database: Database,
    /// Where blobs are.
    pub blobs: Blobs,
    /// Everything the server reads from its environment, other than secrets.
    pub settings: BTreeMap<&'static str, String>,
    /// The public address.
    pub url: String,
    /// Secret with the certificate.
    pub tls: Option<String>,
    /// Whether NetworkPolicies are made.
    pub network_policies: bool,
    /// The pods.
    pub pod: PodSettings,
}

/// The database, with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A server of its own.
    Postgres {
        /// Its image.
        image: String,
        /// Its volume.
        volume: Claim,
    },
    /// One that exists.
    External {
        /// Secret with the URL.
        secret: String,
        /// Key in it.
        key: String,
    },
    /// A file.
    Sqlite {
        /// Its volume.
        volume: Claim,
    },
}

/// A volume to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// How large.
    pub size: String,
    /// Of which class.
    pub storage_class_name: Option<String>,
}

/// Where blobs are, with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blobs {
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// What its tag says.
        owner: String,
        /// The service.
        class: S3Class,
    },
    /// The volume of SQLite.
    Disk,
}

/// What is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For conditions and events.
    pub reason: Reason,
    /// Field, value and what is allowed.
    pub message: String,
}

fn invalid(message: String) -> Refusal {
    Refusal { reason: Reason::InvalidSpec, message }
}

/// Checks the spec against what is there.
///
/// # Errors
/// What a person has to change.
pub fn validate(pds: &PdsInstance, observed: &Observed) -> Result<Validated, Refusal> {
    let class = class(pds, observed)?;
    let names = Names(pds.name_any());
    let namespace = pds.namespace().unwrap_or_default();
    let spec = &pds.spec;
    let database = database(spec, class)?;
    if let (Database::Postgres { volume, .. } | Database::Sqlite { volume }, Some(existing)) =
        (&database, &observed.volume)
    {
        check_volume(volume, existing, spec)?;
    }
    let replicas = replicas(spec, class, &database)?;
    let blobs = blobs(pds, class, observed, &database)?;
    let tls = spec.tls.as_ref().map(|tls| tls.secret_name.clone());
    let settings = Settings::from_values(|name| setting(name, spec, class, &database, &blobs))
        .map_err(|errors| invalid(format!("spec: {errors}")))?;
    let owner = pds.controller_owner_ref(&()).ok_or_else(|| invalid("metadata.uid: is not set".into()))?;
    Ok(Validated {
        url: settings.service.public_url(),
        settings: settings.render(),
        image: spec.image.clone().unwrap_or_else(|| class.spec.images.pds.clone()),
        class_name: class.name_any(),
        network_policies: spec.network.as_ref().and_then(|network| network.policy) != Some(NetworkPolicyMode::Off),
        pod: spec.pod.clone().unwrap_or_default(),
        names,
        namespace,
        owner,
        replicas,
        database,
        blobs,
        tls,
    })
}

fn class<'a>(pds: &PdsInstance, observed: &'a Observed) -> Result<&'a PdsClass, Refusal> {
    let message = match &observed.class {
        ClassFound::Found(class) => return Ok(class),
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
    if let Some(sqlite) = wanted.sqlite {
        return Ok(Database::Sqlite { volume: claim(sqlite) });
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
    Ok(Database::Postgres { image, volume: claim(wanted.postgres.unwrap_or_default()) })
}

fn claim(volume: Volume) -> Claim {
    let size = volume.size.unwrap_or_else(|| VOLUME_SIZE.into());
    Claim { size, storage_class_name: volume.storage_class_name }
}

/// A volume that is there stays as it is; only what the spec says in so many words can contradict it.
fn check_volume(
    wanted: &Claim,
    existing: &k8s_openapi::api::core::v1::PersistentVolumeClaim,
    spec: &PdsInstanceSpec,
) -> Result<(), Refusal> {
    let there = existing.spec.as_ref();
    let requests = there.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let size = requests.and_then(|requests| requests.get("storage")).map(|size| size.0.as_str());
    let database = spec.database.as_ref();
    let volume = database.and_then(|database| database.postgres.as_ref().or(database.sqlite.as_ref()));
    let says_size = volume.is_some_and(|volume| volume.size.is_some());
    if says_size && size.is_some_and(|size| size != wanted.size) {
        let size = size.unwrap_or_default();
        return Err(invalid(format!("spec.database: size {:?}; the volume is there with {size:?}", wanted.size)));
    }
    let class = there.and_then(|spec| spec.storage_class_name.as_ref());
    if wanted.storage_class_name.is_some() && class.is_some() && wanted.storage_class_name.as_ref() != class {
        let class = class.map(String::as_str).unwrap_or_default();
        let message = format!(
            "spec.database: storageClassName {:?}; the volume is there with {class:?}",
            wanted.storage_class_name.as_deref().unwrap_or_default()
        );
        return Err(invalid(message));
    }
    Ok(())
}

fn replicas(spec: &PdsInstanceSpec, class: &PdsClass, database: &Database) -> Result<i32, Refusal> {
    let sqlite = matches!(database, Database::Sqlite { .. });
    let max = class.spec.limits.as_ref().and_then(|limits| limits.max_replicas);
    let fallback = if sqlite { 1 } else { 2.min(max.unwrap_or(2)) };
    let replicas = spec.replicas.unwrap_or(fallback);
    if sqlite && replicas > 1 {
        return Err(invalid(format!("spec.replicas: {replicas}; allowed with database.sqlite: 0, 1")));
    }
    match max {
        Some(max) if replicas > max => Err(Refusal {
            reason: Reason::QuotaExceeded,
            message: format!("spec.replicas: {replicas}; PdsClass {:?} allows at most {max}", class.name_any()),
        }),
        _ => Ok(replicas),
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
    let s3 = class.spec.s3.clone().ok_or_else(|| {
        invalid(format!("spec.blobStore.s3: PdsClass {:?} has no s3; allowed: disk, with sqlite", class.name_any()))
    })?;
    let (bucket, owner) = bucket(pds, &observed.namespace_uid);
    let used = pds.status.as_ref().and_then(|status| status.blob_store.as_ref()?.bucket.as_ref());
    if let Some(used) = used.filter(|used| **used != bucket) {
        return Err(invalid(format!("spec.blobStore.s3.bucket: {bucket:?}; the blobs are in {used:?}")));
    }
    Ok(Blobs::S3 { bucket, owner, class: s3 })
}

/// The name of the bucket that a spec asks for, and what its tag says.
pub(super) fn bucket(pds: &PdsInstance, namespace_uid: &str) -> (String, String) {
    let owner = format!("{namespace_uid}/{}", pds.name_any());
    let own = || format!("{}-{}", pds.name_any(), hash::hex(owner.as_bytes(), 10));
    let wanted = pds.spec.blob_store.as_ref().and_then(|wanted| wanted.s3.as_ref()?.bucket.clone());
    (wanted.unwrap_or_else(own), owner)
}

/// The value of a setting, where the spec or the class says something about it.
fn setting(name: &str, spec: &PdsInstanceSpec, class: &PdsClass, database: &Database, blobs: &Blobs) -> Option<String> {
    let sqlite = matches!(database, Database::Sqlite { .. });
    let s3 = if let Blobs::S3 { bucket, class, .. } = blobs { Some((bucket, class)) } else { None };
    let identity = spec.identity.as_ref();
    match name {
        "PDS_HOSTNAME" => Some(spec.hostname.clone()),
        "PDS_SERVICE_HANDLE_DOMAINS" => {
            let domains = spec.handle_domains.as_ref()?.iter().map(|domain| format!(".{}", domain.domain));
            Some(domains.collect::<Vec<_>>().join(","))
        }
        "PDS_DATA_DIRECTORY" => Some(if sqlite { "/data" } else { "/tmp" }.into()),
        "PDS_DID_PLC_URL" => Some(class.spec.plc_url.clone()),
        "PDS_OUTBOUND_ALLOW" => class.spec.outbound_allow.as_ref().map(|allow| allow.join(",")),
        "PDS_INVITE_REQUIRED" => {
            Some((identity.and_then(|identity| identity.invites) != Some(Invites::Open)).to_string())
        }
        "PDS_CONTACT_EMAIL_ADDRESS" => identity?.contact_email.clone(),
        "PDS_BLOB_UPLOAD_LIMIT" => spec.limits.as_ref()?.blob_max_bytes.map(|bytes| bytes.to_string()),
        "PDS_RATE_LIMITS_ENABLED" => {
            spec.limits.as_ref()?.rate_limits.as_ref()?.enabled.map(|enabled| enabled.to_string())
        }
        "PDS_BLOBSTORE_S3_BUCKET" => s3.map(|(bucket, _)| bucket.clone()),
        "PDS_BLOBSTORE_S3_ENDPOINT" => s3.map(|(_, class)| class.endpoint.clone()),
        "PDS_BLOBSTORE_S3_REGION" => s3.map(|(_, class)| class.region.clone().unwrap_or_else(|| "us-east-1".into())),
        "PDS_BLOBSTORE_S3_FORCE_PATH_STYLE" => s3.map(|(_, class)| class.path_style.unwrap_or(true).to_string()),
        "PDS_TLS_CERT_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.crt".into()),
        "PDS_TLS_KEY_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.key".into()),
        _ => None,
    }
}

/// Whether database, blobs and keys are deleted with the instance.
#[must_use]
pub fn deletes(policy: Option<&DeletionPolicy>) -> (bool, bool, bool) {
    let policy = policy.cloned().unwrap_or_default();
    let delete = |choice: Option<Deletion>| choice == Some(Deletion::Delete);
    (delete(policy.database), delete(policy.blobs), delete(policy.keys))
}
