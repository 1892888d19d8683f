//! The settings of the PDS that spec and class say something about. Pure.

use operator_api::{Invites, PdsClass, PdsInstanceSpec};
use operator_runtime::hash;

use super::component::name::CA_FILE;
use super::wanted::{Blobs, Database};

/// The value of a setting, where the spec or the class says something about it.
pub(super) fn setting(
    name: &str,
    spec: &PdsInstanceSpec,
    class: &PdsClass,
    database: &Database,
    blobs: &Blobs,
) -> Option<String> {
    let sqlite = matches!(database, Database::Sqlite { .. });
    let identity = spec.identity.as_ref();
    let limits = spec.limits.as_ref();
    match name {
        "PDS_HOSTNAME" => Some(spec.hostname.clone()),
        "PDS_SERVICE_HANDLE_DOMAINS" => {
            let domains = spec.handle_domains.as_ref()?.iter().map(|domain| format!(".{}", domain.domain));
            Some(domains.collect::<Vec<_>>().join(","))
        }
        "PDS_DATA_DIRECTORY" => Some(if sqlite { "/data" } else { "/tmp" }.into()),
        "PDS_DID_PLC_URL" => Some(class.spec.plc_url.clone()),
        "PDS_OUTBOUND_ALLOW" => class.spec.outbound_allow.as_ref().map(|allow| allow.join(",")),
        "PDS_TRUSTED_PROXIES" => class.spec.trusted_proxies.as_ref().map(|networks| networks.join(",")),
        "PDS_CA_FILE" => class.spec.ca_bundle.as_ref().map(|_| CA_FILE.into()),
        "PDS_CA_SHA256" => class.spec.ca_bundle.as_ref().map(|bundle| hash::hex(bundle.as_bytes(), 64)),
        "PDS_INVITE_REQUIRED" => {
            Some((identity.and_then(|identity| identity.invites) != Some(Invites::Open)).to_string())
        }
        "PDS_CONTACT_EMAIL_ADDRESS" => identity?.contact_email.clone(),
        "PDS_BLOB_UPLOAD_LIMIT" => limits?.blob_max_bytes.map(|bytes| bytes.to_string()),
        "PDS_RATE_LIMITS_ENABLED" => limits?.rate_limits.as_ref()?.enabled.map(|enabled| enabled.to_string()),
        "PDS_TLS_CERT_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.crt".into()),
        "PDS_TLS_KEY_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.key".into()),
        _ => bucket(name, blobs),
    }
}

fn bucket(name: &str, blobs: &Blobs) -> Option<String> {
    let (bucket, service) = match blobs {
        Blobs::Disk => return None,
        Blobs::Provisioned { bucket, store, .. } => (bucket, &store.service),
        Blobs::Given { bucket, service, .. } => (bucket, service),
    };
    match name {
        "PDS_BLOBSTORE_S3_BUCKET" => Some(bucket.clone()),
        "PDS_BLOBSTORE_S3_ENDPOINT" => service.endpoint.clone(),
        "PDS_BLOBSTORE_S3_REGION" => Some(service.region.clone()),
        "PDS_BLOBSTORE_S3_FORCE_PATH_STYLE" => Some(service.path_style.to_string()),
        _ => None,
    }
}
