//! The settings of the PDS that spec and class say something about. Pure.

mod accounts;
mod jobs;
mod said;
mod services;
mod telemetry;

use kube::ResourceExt;
use operator_api::{PdsClass, PdsInstance};
use operator_runtime::hash;

use super::component::name::{CA_FILE, RULES_FILE};
use super::wanted::{Blobs, Database};
pub(super) use accounts::records;
use services::cache;
pub(super) use services::email;

/// The value of a setting, where the spec or the class says something about it.
pub(super) fn setting(
    name: &str,
    pds: &PdsInstance,
    class: &PdsClass,
    database: &Database,
    blobs: &Blobs,
) -> Option<String> {
    let spec = &pds.spec;
    let sqlite = matches!(database, Database::Sqlite { .. });
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
        "PDS_TLS_CERT_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.crt".into()),
        "PDS_TLS_KEY_FILE" => spec.tls.as_ref().map(|_| "/tls/tls.key".into()),
        // Instances that share a Redis do not share its keys.
        "CACHE_KEY_PREFIX" => {
            cache(spec, class).map(|_| format!("aurora:{}:", hash::of(&(pds.namespace(), pds.name_any()), 16)))
        }
        "PDS_RECORD_RULES_FILE" => records(spec, class).map(|_| RULES_FILE.into()),
        _ => bucket(name, blobs)
            .or_else(|| lookups(name, class))
            .or_else(|| accounts::setting(name, spec, class))
            .or_else(|| services::setting(name, spec, class))
            .or_else(|| jobs::setting(name, spec, class))
            .or_else(|| telemetry::setting(name, pds, class)),
    }
}

fn lookups(name: &str, class: &PdsClass) -> Option<String> {
    let lookups = class.spec.lookups.as_ref()?;
    match name {
        "PDS_HANDLE_BACKUP_NAMESERVERS" => lookups.backup_name_servers.as_ref().map(|servers| servers.join(",")),
        "PDS_ID_RESOLVER_TIMEOUT" => lookups.timeout.clone(),
        "PDS_DID_CACHE_STALE_TTL" => lookups.documents_stale.clone(),
        "PDS_DID_CACHE_MAX_TTL" => lookups.documents_max.clone(),
        "PDS_LEXICON_RESOLVER_TIMEOUT" => lookups.lexicon_timeout.clone(),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that nobody can set here would need a field of `Jobs`.
    #[test]
    fn every_job_has_a_field() {
        let jobs =
            pds_config::VARIABLES.iter().map(|variable| variable.name).filter(|name| name.starts_with("PDS_JOB_"));
        let field = |name: &str| {
            let words = name.trim_start_matches("PDS_JOB_").trim_end_matches("_INTERVAL").to_lowercase();
            let mut words = words.split('_');
            let first = words.next().unwrap_or_default().to_owned();
            words.fold(first, |name, word| format!("{name}{}{}", word[..1].to_uppercase(), &word[1..]))
        };
        let mut count = 0;
        for name in jobs {
            let spec = serde_json::json!({"hostname": "a.test", "jobs": {field(name): "7m"}});
            let class = serde_json::json!({"images": {"pds": "a"}, "plcUrl": "https://plc.test"});
            let class = PdsClass::new("a", serde_json::from_value(class).unwrap());
            let value = jobs::setting(name, &serde_json::from_value(spec).unwrap(), &class);
            assert_eq!(value.as_deref(), Some("7m"), "spec.jobs.{} sets {name}", field(name));
            count += 1;
        }
        assert!(count >= 15, "{count}");
    }
}
