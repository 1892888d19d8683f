//! Settings for handles, DIDs and their resolution.

use std::net::SocketAddr;
use std::time::Duration;

use pds_syntax::Did;
use url::Url;

use crate::kms_key_id::KmsKeyId;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// How handles and DIDs are chosen and resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Domains under which accounts may choose a handle. Lower case, with a leading dot.
    pub handle_domains: Vec<String>,
    pub plc_url: Url,
    /// A did:key: the first rotation key of every new did:plc.
    pub recovery_key: Option<Did>,
    /// The key in AWS KMS that signs PLC operations. `None` if the secrets contain the key.
    pub rotation_kms_key: Option<KmsKeyId>,
    /// Maximum time of one lookup.
    pub resolver_timeout: Duration,
    /// Age after which a cached document is refreshed.
    pub did_cache_stale_ttl: Duration,
    /// Age after which a cached document is no longer used.
    pub did_cache_max_ttl: Duration,
    /// Name servers that are queried if those of the system do not resolve a handle.
    pub backup_nameservers: Vec<SocketAddr>,
}

impl Identity {
    pub(super) fn read(reader: &mut Reader<'_>, hostname: &str) -> Self {
        let under_host = || match hostname {
            "localhost" => vec![".test".to_owned()],
            hostname => vec![format!(".{hostname}")],
        };
        let general = reader.optional(&setting::CACHE_DID_DOC_TTL);
        let fresh = reader.value(&setting::DID_CACHE_STALE_TTL);
        let overrules = reader.is_set(&setting::DID_CACHE_STALE_TTL);
        Self {
            handle_domains: reader.optional(&setting::SERVICE_HANDLE_DOMAINS).unwrap_or_else(under_host),
            plc_url: reader.value(&setting::DID_PLC_URL),
            recovery_key: reader.optional(&setting::RECOVERY_DID_KEY),
            rotation_kms_key: reader.optional(&setting::PLC_ROTATION_KEY_KMS_KEY_ID),
            resolver_timeout: reader.value(&setting::ID_RESOLVER_TIMEOUT),
            did_cache_stale_ttl: general.filter(|_| !overrules).unwrap_or(fresh),
            did_cache_max_ttl: reader.value(&setting::DID_CACHE_MAX_TTL),
            backup_nameservers: reader.optional(&setting::HANDLE_BACKUP_NAMESERVERS).unwrap_or_default(),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self {
            handle_domains,
            plc_url,
            recovery_key,
            rotation_kms_key,
            resolver_timeout,
            did_cache_stale_ttl,
            did_cache_max_ttl,
            backup_nameservers,
        } = self;
        out.put(&setting::SERVICE_HANDLE_DOMAINS, handle_domains);
        out.put(&setting::DID_PLC_URL, plc_url);
        out.put_some(&setting::RECOVERY_DID_KEY, recovery_key.as_ref());
        out.put_some(&setting::PLC_ROTATION_KEY_KMS_KEY_ID, rotation_kms_key.as_ref());
        out.put(&setting::ID_RESOLVER_TIMEOUT, resolver_timeout);
        out.put(&setting::DID_CACHE_STALE_TTL, did_cache_stale_ttl);
        out.put(&setting::DID_CACHE_MAX_TTL, did_cache_max_ttl);
        out.put_list(&setting::HANDLE_BACKUP_NAMESERVERS, backup_nameservers);
    }
}
