//! The secrets. They are separate from the settings, so that settings can be shown.

pub mod local;
mod rotation_key;

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

pub use rotation_key::RotationKey;

use crate::ca_bundle::CaBundle;
use crate::database_url::DatabaseUrl;
use crate::fingerprint::{Fingerprint, fingerprint, fingerprint_with_kms};
use crate::kms_key_id::KmsKeyId;
use crate::otlp_headers::parse_otlp_headers;
use crate::reader::Reader;
use crate::redis_url::RedisUrl;
use crate::settings::{BlobStore, Mail, Outbound, RateLimits};
use crate::smtp_url::SmtpUrl;
use crate::table::setting;
use crate::variable::Setting;

/// All secrets of the server. `Debug` shows none of them.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub database: DatabaseUrl,
    /// `None` means workload identity, or that blobs are on disk.
    pub s3: Option<S3Credentials>,
    pub redis: Option<RedisUrl>,
    /// Requests with this key in `x-ratelimit-bypass` are not limited.
    pub rate_limit_bypass_key: Option<SecretString>,
    /// Sends mails to users.
    pub smtp: Option<SmtpUrl>,
    /// Sends mails of administrators and moderators.
    pub moderation_smtp: Option<SmtpUrl>,
    /// Headers of requests to the collector of traces: names in lower case, and values.
    pub trace_headers: Vec<(String, SecretString)>,
    /// The certificates of `PDS_CA_FILE`. Not a secret, but read from a file of this machine like the secrets.
    pub ca_bundle: Option<CaBundle>,
    /// Signs session tokens.
    pub jwt_secret: SecretString,
    /// Password of the user `admin`.
    pub admin_password: SecretString,
    /// Signs PLC operations.
    pub plc_rotation_key: RotationKey,
    /// Encrypts signing keys in the database. 32 bytes as 64 lower-case hex digits.
    pub key_encryption_key: SecretString,
}

/// Credentials for S3.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
}

/// The keys that data depends on. Without them, existing accounts can neither move nor write.
#[derive(Debug, Clone)]
pub struct DataKeys {
    pub plc_rotation_key: RotationKey,
    pub key_encryption_key: SecretString,
}

impl Secrets {
    /// `kms`: the PLC rotation key in AWS KMS, if it is set.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        data_directory: &Path,
        store: &BlobStore,
        rate_limits: &RateLimits,
        outbound: &Outbound,
        mail: &Mail,
        kms: Option<&KmsKeyId>,
    ) -> Option<Self> {
        let database = Self::read_database(reader, data_directory);
        let s3 = S3Credentials::read(reader, store);
        let redis = Self::read_redis(reader, rate_limits);
        let rate_limit_bypass_key = reader.optional(&setting::RATE_LIMIT_BYPASS_KEY);
        let (url, from) = (&setting::EMAIL_SMTP_URL, &setting::EMAIL_FROM_ADDRESS);
        let smtp = Self::read_smtp(reader, url, from, mail.from.is_some());
        let (url, from) = (&setting::MODERATION_EMAIL_SMTP_URL, &setting::MODERATION_EMAIL_ADDRESS);
        let moderation_smtp = Self::read_smtp(reader, url, from, mail.moderation_from.is_some());
        let trace_headers = reader.optional(&setting::OTEL_EXPORTER_OTLP_HEADERS);
        let trace_headers = trace_headers.and_then(|text| parse_otlp_headers(text.expose_secret()).ok());
        let ca_bundle = Self::read_ca_bundle(reader, outbound.ca_file.as_deref(), outbound.ca_sha256.as_deref());
        let jwt_secret = required(reader, &setting::JWT_SECRET);
        let admin_password = required(reader, &setting::ADMIN_PASSWORD);
        let plc_rotation_key = RotationKey::read(reader, kms);
        let key_encryption_key = required(reader, &setting::KEY_ENCRYPTION_KEY);
        Some(Self {
            database: database?,
            s3,
            redis,
            rate_limit_bypass_key,
            smtp,
            moderation_smtp,
            trace_headers: trace_headers.unwrap_or_default(),
            ca_bundle,
            jwt_secret: jwt_secret?,
            admin_password: admin_password?,
            plc_rotation_key: plc_rotation_key?,
            key_encryption_key: key_encryption_key?,
        })
    }

    /// The keys that data depends on.
    #[must_use]
    pub fn data_keys(&self) -> DataKeys {
        DataKeys {
            plc_rotation_key: self.plc_rotation_key.clone(),
            key_encryption_key: self.key_encryption_key.clone(),
        }
    }

    pub(crate) fn read_ca_bundle(
        reader: &mut Reader<'_>,
        file: Option<&Path>,
        sha256: Option<&str>,
    ) -> Option<CaBundle> {
        let file = file?;
        let refused = |reason| reader.refuse(&setting::CA_FILE, Some(file.display().to_string()), reason);
        CaBundle::read(file, sha256).map_err(refused).ok()
    }

    /// A server and a sender come together or not at all.
    fn read_smtp(
        reader: &mut Reader<'_>,
        url: &Setting<SmtpUrl>,
        from: &Setting<String>,
        has_sender: bool,
    ) -> Option<SmtpUrl> {
        let server = reader.optional(url);
        match (reader.is_set(url), reader.is_set(from)) {
            (true, false) => reader.refuse(from, None, format!("is required together with {}", url.variable.name)),
            (false, true) => reader.refuse(url, None, format!("is required together with {}", from.variable.name)),
            _ => {}
        }
        server.filter(|_| has_sender)
    }

    fn read_redis(reader: &mut Reader<'_>, limits: &RateLimits) -> Option<RedisUrl> {
        let url = reader.optional(&setting::REDIS_URL);
        let address = reader.optional(&setting::REDIS_SCRATCH_ADDRESS);
        let password = reader.optional(&setting::REDIS_SCRATCH_PASSWORD);
        let is_set = reader.is_set(&setting::REDIS_URL) || reader.is_set(&setting::REDIS_SCRATCH_ADDRESS);
        let missing = "requires REDIS_URL, which is not set";
        if limits.redis == Some(true) && !is_set {
            reader.refuse(&setting::CACHE_ENABLED, Some("true".into()), missing);
        }
        if limits.distributed == Some(true) && (!is_set || limits.redis == Some(false)) {
            let off = "requires Redis, which CACHE_ENABLED=false turns off";
            let message = if is_set { off } else { missing };
            reader.refuse(&setting::RATE_LIMIT_DISTRIBUTED, Some("true".into()), message);
        }
        if limits.redis == Some(false) {
            return None;
        }
        url.or_else(|| RedisUrl::of(&address?, password.as_ref()))
    }

    /// The database URL, or the default. `None` if it is set and wrong.
    pub(crate) fn read_database(reader: &mut Reader<'_>, data_directory: &Path) -> Option<DatabaseUrl> {
        let names = [&setting::DATABASE_URL, &setting::GENERAL_DATABASE_URL];
        let urls = names.map(|name| reader.optional(name));
        let kind = reader.optional(&setting::DATABASE_TYPE);
        let named = names.iter().position(|name| reader.is_set(name));
        let database = match named {
            Some(first) => urls.into_iter().nth(first).flatten()?,
            None => DatabaseUrl::Sqlite(data_directory.join("pds.sqlite")),
        };
        if let Some(kind) = kind.filter(|kind| *kind != database.kind()) {
            let word = setting::DATABASE_TYPE.codec.render;
            let because = match named {
                Some(first) => format!("contradicts {}", names[first].variable.name),
                None => format!("requires {}, which is not set", names[0].variable.name),
            };
            let message = format!("{because}; allowed: {}, or another URL", word(&database.kind()));
            reader.refuse(&setting::DATABASE_TYPE, Some(word(&kind)), message);
        }
        Some(database)
    }
}

impl DataKeys {
    /// See [`crate::fingerprint()`].
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let seal = self.key_encryption_key.expose_secret();
        let made = match &self.plc_rotation_key {
            RotationKey::Local(rotation) => fingerprint(rotation.expose_secret(), seal),
            RotationKey::Kms(id) => fingerprint_with_kms(id, seal),
        };
        made.expect("the keys were read as 64 hex digits")
    }

    /// `None` if neither key is set, or if one is wrong or missing.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (local, in_kms) = (&setting::PLC_ROTATION_KEY, &setting::PLC_ROTATION_KEY_KMS_KEY_ID);
        let seal = &setting::KEY_ENCRYPTION_KEY;
        let (kms, key_encryption_key) = (reader.optional(in_kms), reader.optional(seal));
        let plc_rotation_key = match (RotationKey::is_set(reader), reader.is_set(seal)) {
            (false, false) => return None,
            (false, true) => {
                reader.refuse(local, None, format!("is required together with {}", seal.variable.name));
                None
            }
            (true, has_seal) => {
                if !has_seal {
                    let beside = if reader.is_set(local) { local.variable.name } else { in_kms.variable.name };
                    reader.refuse(seal, None, format!("is required together with {beside}"));
                }
                RotationKey::read(reader, kms.as_ref())
            }
        };
        Some(Self { plc_rotation_key: plc_rotation_key?, key_encryption_key: key_encryption_key? })
    }
}

impl S3Credentials {
    fn read(reader: &mut Reader<'_>, store: &BlobStore) -> Option<Self> {
        let id = reader.optional(&setting::BLOBSTORE_S3_ACCESS_KEY_ID);
        let secret = reader.optional(&setting::BLOBSTORE_S3_SECRET_ACCESS_KEY);
        let (access_key_id, secret_access_key) = match (id, secret) {
            (Some(id), Some(secret)) => (id, secret),
            (Some(_), None) => {
                let message = "is required together with PDS_BLOBSTORE_S3_ACCESS_KEY_ID";
                reader.refuse(&setting::BLOBSTORE_S3_SECRET_ACCESS_KEY, None, message);
                return None;
            }
            (None, Some(_)) => {
                let message = "is required together with PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY";
                reader.refuse(&setting::BLOBSTORE_S3_ACCESS_KEY_ID, None, message);
                return None;
            }
            (None, None) => return None,
        };
        matches!(store, BlobStore::S3(_)).then_some(Self { access_key_id, secret_access_key })
    }
}

fn required(reader: &mut Reader<'_>, setting: &Setting<SecretString>) -> Option<SecretString> {
    let value = reader.optional(setting);
    if value.is_none() && !reader.is_set(setting) {
        reader.refuse(setting, None, format!("is not set; allowed: {}", setting.variable.allowed));
    }
    value
}
