//! What the server reaches outside of its process, as the settings say: the blob store, the PLC directory, other hosts and relays.

use std::sync::Arc;

use anyhow::Context;
use pds_blobstore::{BlobStore, Disk, S3, S3Checksum, S3Options};
use pds_config::{AllowRule, CaBundle, KmsKeyId, Mail, S3Credentials, S3Store, Secrets, Settings, SmtpUrl, var};
use pds_crypto::SigningKey;
use pds_identity::{Allow, Guard, Resolver, Roots, plc};
use pds_kms::KmsKey;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::ExposeSecret;

use crate::{
    actor::rules::Rules,
    clock::Clock,
    mail::{Templates, Transport},
    metrics::Metrics,
    rate_limit::Sizes,
    upstream::{self, Upstreams},
};

/// The parts that tests replace.
pub struct Outside {
    /// The bytes of blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// Where did:plc identities are published.
    pub plc: Arc<dyn plc::Directory>,
    /// Signs operations on them.
    pub rotation: Arc<dyn plc::RotationKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Resolves DIDs and handles of other hosts, within the networks that the settings allow.
pub(crate) fn resolver(
    settings: &Settings,
    secrets: &Secrets,
    plc: Arc<dyn plc::Directory>,
) -> anyhow::Result<Resolver> {
    let guard = Guard::new(allowed(settings), settings.identity.resolver_timeout, &roots(secrets)?)?;
    Ok(Resolver::new(
        guard,
        plc,
        pds_identity::Options {
            fresh: settings.identity.did_cache_stale_ttl,
            stale: settings.identity.did_cache_max_ttl,
            entries: 20_000,
            backup_nameservers: settings.identity.backup_nameservers.clone(),
        },
    ))
}

/// Addresses that are not public and may be reached nevertheless.
fn allowed(settings: &Settings) -> Allow {
    let rules = settings.outbound_allow();
    Arc::new(move |host, address| {
        rules.iter().any(|rule: &AllowRule| rule.allows_host(host) || rule.allows_address(address))
    })
}

/// Calls other services, within the networks that the settings allow.
pub(crate) fn upstreams(
    settings: &Settings,
    secrets: &Secrets,
    sizes: Sizes,
    metrics: Metrics,
) -> anyhow::Result<Upstreams> {
    let most_calls =
        settings.proxying.max_calls.map_or((sizes.connections / 4).clamp(16, 1024), |calls| calls as usize);
    Ok(Upstreams::new(upstream::Parts {
        settings: settings.proxying.clone(),
        services: settings.services.clone(),
        tls: tls(secrets)?,
        allow: allowed(settings),
        most_calls,
        metrics,
    }))
}

/// TLS as a client, with the authorities of the system and of `PDS_CA_FILE`.
fn tls(secrets: &Secrets) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(bundle) = &secrets.ca_bundle {
        for certificate in CertificateDer::pem_slice_iter(bundle.pem().as_bytes()) {
            roots.add(certificate.context(var::CA_FILE)?).context(var::CA_FILE)?;
        }
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// The authorities that outgoing connections trust.
///
/// # Errors
/// When a certificate of `PDS_CA_FILE` cannot be used.
pub fn roots(secrets: &Secrets) -> anyhow::Result<Roots> {
    match &secrets.ca_bundle {
        Some(bundle) => Roots::with_pem(bundle.pem()).context(var::CA_FILE),
        None => Ok(Roots::default()),
    }
}

/// The key that signs PLC operations. One in AWS KMS is asked for its public key.
///
/// # Errors
/// When the key cannot be used; [`pds_kms::Error`] if AWS says so.
pub async fn rotation_key(
    key: &pds_config::RotationKey,
    ca_bundle: Option<&CaBundle>,
) -> anyhow::Result<Arc<dyn plc::RotationKey>> {
    Ok(match key {
        pds_config::RotationKey::Local(key) => {
            Arc::new(SigningKey::from_hex(key.expose_secret()).context("PLC rotation key")?)
        }
        pds_config::RotationKey::Kms(id) => {
            Arc::new(kms_key(id, ca_bundle).await.context(var::PLC_ROTATION_KEY_KMS_KEY_ID)?)
        }
    })
}

/// A key in AWS KMS, whose public key was read.
pub(crate) async fn kms_key(id: &KmsKeyId, ca_bundle: Option<&CaBundle>) -> Result<KmsKey, pds_kms::Error> {
    KmsKey::load(pds_kms::Options {
        key: id.as_str().to_owned(),
        region: id.region().map(str::to_owned),
        ca_bundle: ca_bundle.map(|bundle| bundle.pem().to_owned()),
    })
    .await
}

/// Sends requests to relays. The host's owner has chosen them, so any address is allowed.
pub(crate) fn relays(secrets: &Secrets) -> anyhow::Result<reqwest::Client> {
    let client = roots(secrets)?.trusted_by(reqwest::Client::builder());
    Ok(client.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// The templates of mails.
///
/// # Errors
/// When a template has a mistake.
pub(crate) fn templates(settings: &Settings) -> anyhow::Result<Templates> {
    let Mail { templates, language, .. } = &settings.mail;
    Templates::load(templates.as_deref(), language).context(var::EMAIL_TEMPLATES_DIRECTORY)
}

/// The host's own rules for records.
///
/// # Errors
/// When the file has a mistake.
pub(crate) fn record_rules(settings: &Settings) -> anyhow::Result<Rules> {
    match &settings.records.rules_file {
        Some(path) => Rules::load(path).context(var::RECORD_RULES_FILE),
        None => Ok(Rules::default()),
    }
}

/// The SMTP servers for mails to users, and for those of administrators and moderators. None of them need be reachable.
///
/// # Errors
/// When a sender or a certificate cannot be used.
pub(crate) fn transports(
    settings: &Settings,
    secrets: &Secrets,
) -> anyhow::Result<(Option<Transport>, Option<Transport>)> {
    let (mail, host) = (&settings.mail, &settings.service.hostname);
    let transport = |url: &Option<SmtpUrl>, from: &Option<String>| match (url, from) {
        (Some(url), Some(from)) => Transport::new(url, from, host, secrets.ca_bundle.as_ref()).map(Some),
        _ => Ok(None),
    };
    let users = transport(&secrets.smtp, &mail.from).context(var::EMAIL_SMTP_URL)?;
    let moderation = transport(&secrets.moderation_smtp, &mail.moderation_from);
    Ok((users, moderation.context(var::MODERATION_EMAIL_SMTP_URL)?))
}

/// Opens the blob store that the settings name.
///
/// # Errors
/// When a folder of a disk store cannot be used.
pub async fn open_blob_store(settings: &Settings, secrets: &Secrets) -> anyhow::Result<Arc<dyn BlobStore>> {
    Ok(match &settings.blob.store {
        pds_config::BlobStore::Disk(disk) => Arc::new(Disk::open(&disk.location, &disk.tmp_location)?),
        pds_config::BlobStore::S3(s3) => {
            let options = S3Options {
                upload_memory_bytes: Sizes::new(settings).upload_bytes,
                ..s3_options(s3, secrets.s3.as_ref(), secrets.ca_bundle.as_ref())
            };
            Arc::new(S3::connect(options).await)
        }
    })
}

/// How to reach a bucket. For uploads, the memory that they may take is the caller's to set.
pub(crate) fn s3_options(s3: &S3Store, keys: Option<&S3Credentials>, ca_bundle: Option<&CaBundle>) -> S3Options {
    S3Options {
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        endpoint: s3.endpoint.clone(),
        public_endpoint: s3.public_endpoint.clone(),
        force_path_style: s3.force_path_style,
        checksum: match s3.checksum {
            pds_config::S3Checksum::WhenSupported => S3Checksum::WhenSupported,
            pds_config::S3Checksum::WhenRequired => S3Checksum::WhenRequired,
        },
        credentials: keys.map(|keys| pds_blobstore::Credentials {
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
        }),
        ca_bundle: ca_bundle.map(|bundle| bundle.pem().to_owned()),
        upload_timeout: s3.upload_timeout,
        request_timeout: s3.request_timeout,
        upload_memory_bytes: 0,
    }
}
