//! The settings of the PDS that spec and class say something about. Pure.

use operator_api::{
    Email, Identity, Invites, Limits, Log, LogFormat, NeedsEmail, PdsClass, PdsInstanceSpec, Quantity, RemoteService,
};
use operator_runtime::compare::whole;
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
        _ => bucket(name, blobs)
            .or_else(|| about_accounts(name, spec, class))
            .or_else(|| services(name, class))
            .or_else(|| email(name, spec.email.as_ref()?)),
    }
}

/// What the instance says, and what the class says for instances that say nothing.
fn about_accounts(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let defaults = class.spec.defaults.as_ref();
    let identity = [spec.identity.as_ref(), defaults.and_then(|defaults| defaults.identity.as_ref())];
    let limits = [spec.limits.as_ref(), defaults.and_then(|defaults| defaults.limits.as_ref())];
    let log = [spec.log.as_ref(), defaults.and_then(|defaults| defaults.log.as_ref())];
    let of_identity = |field: fn(&Identity) -> Option<String>| identity.into_iter().flatten().find_map(field);
    let of_limits = |field: fn(&Limits) -> Option<String>| limits.into_iter().flatten().find_map(field);
    let of_log = |field: fn(&Log) -> Option<String>| log.into_iter().flatten().find_map(field);
    let bytes = |amount: &Quantity| whole(&amount.0).map(|bytes| bytes.to_string());
    match name {
        "PDS_INVITE_REQUIRED" => {
            let open = identity.into_iter().flatten().find_map(|identity| identity.invites) == Some(Invites::Open);
            Some((!open).to_string())
        }
        "PDS_INVITE_INTERVAL" => of_identity(|identity| identity.invite_interval.clone()),
        "PDS_CONTACT_EMAIL_ADDRESS" => of_identity(|identity| identity.contact_email.clone()),
        "PDS_PRIVACY_POLICY_URL" => of_identity(|identity| identity.privacy_policy_url.clone()),
        "PDS_TERMS_OF_SERVICE_URL" => of_identity(|identity| identity.terms_of_service_url.clone()),
        "PDS_BLOB_UPLOAD_LIMIT" => of_limits(|limits| limits.blob_max_bytes.map(|bytes| bytes.to_string())),
        "PDS_ACCOUNT_QUOTA_BYTES" => {
            limits.into_iter().flatten().find_map(|limits| limits.account_quota.as_ref()).and_then(bytes)
        }
        "PDS_ACCEPTING_REPO_IMPORTS" => of_limits(|limits| limits.repo_imports.map(|accepts| accepts.to_string())),
        "PDS_MAX_REPO_IMPORT_SIZE" => {
            limits.into_iter().flatten().find_map(|limits| limits.repo_import_max.as_ref()).and_then(bytes)
        }
        "PDS_RATE_LIMITS_ENABLED" => {
            of_limits(|limits| limits.rate_limits.as_ref()?.enabled.map(|enabled| enabled.to_string()))
        }
        "PDS_LOG_FORMAT" => of_log(|log| {
            let format = match log.format? {
                LogFormat::Json => "json",
                LogFormat::Text => "text",
            };
            Some(format.into())
        }),
        "RUST_LOG" => of_log(|log| log.level.clone()),
        _ => None,
    }
}

fn services(name: &str, class: &PdsClass) -> Option<String> {
    let services = class.spec.services.as_ref()?;
    let url = |service: &Option<RemoteService>| service.as_ref().map(|service| service.url.clone());
    let did = |service: &Option<RemoteService>| service.as_ref().map(|service| service.did.clone());
    match name {
        "PDS_BSKY_APP_VIEW_URL" => url(&services.app_view),
        "PDS_BSKY_APP_VIEW_DID" => did(&services.app_view),
        "PDS_BSKY_APP_VIEW_CDN_URL_PATTERN" => services.image_url_pattern.clone(),
        "PDS_MOD_SERVICE_URL" => url(&services.moderation),
        "PDS_MOD_SERVICE_DID" => did(&services.moderation),
        "PDS_REPORT_SERVICE_URL" => url(&services.report),
        "PDS_REPORT_SERVICE_DID" => did(&services.report),
        "PDS_CRAWLERS" => services.crawlers.as_ref().map(|crawlers| crawlers.join(",")),
        _ => None,
    }
}

/// What is no secret. The URLs of the servers come from Secrets.
fn email(name: &str, email: &Email) -> Option<String> {
    match name {
        "PDS_EMAIL_FROM_ADDRESS" => Some(email.from.clone()),
        "PDS_EMAIL_LANGUAGE" => email.language.clone(),
        "PDS_MODERATION_EMAIL_ADDRESS" => email.moderation.as_ref().map(|moderation| moderation.from.clone()),
        "PDS_REQUIRE_CONFIRMED_EMAIL" => {
            let word = |need: &NeedsEmail| match need {
                NeedsEmail::Post => "post",
                NeedsEmail::Upload => "upload",
                NeedsEmail::Invite => "invite",
            };
            let needs = email.required_for.as_ref().filter(|needs| !needs.is_empty())?;
            Some(needs.iter().map(word).collect::<Vec<_>>().join(","))
        }
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
