//! Settings of the service: ports, names, TLS, and smaller groups.

use std::path::PathBuf;
use std::time::Duration;

use pds_syntax::Did;
use url::Url;

use crate::network::{AllowRule, Cidr};
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Ports, names and TLS of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Port for clients; 0 means any free port.
    pub port: u16,
    /// Port of metrics and probes; 0 means any free port.
    pub metrics_port: u16,
    /// Public host name, lower case.
    pub hostname: String,
    /// DID of the service; the audience of its tokens.
    pub did: Did,
    /// Development mode: the public URL has the port, and outbound requests may reach loopback.
    pub dev_mode: bool,
    /// Directory of the SQLite database, generated secrets and blobs.
    pub data_directory: PathBuf,
    /// Proxies whose `X-Forwarded-For` is used.
    pub trusted_proxies: Vec<Cidr>,
    /// If set, the public port speaks TLS.
    pub tls: Option<Tls>,
}

/// PEM files with the certificate and key of the public port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Contact information that describeServer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub email: Option<String>,
    pub privacy_policy: Option<Url>,
    pub terms_of_service: Option<Url>,
}

/// Import of repositories from other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Whether imports are accepted.
    pub accepted: bool,
    /// Maximum size of the repository file.
    pub max_bytes: u64,
    /// Maximum number of records of a repository.
    pub max_records: u32,
    /// Maximum number of records that an import may change or delete.
    pub max_replaced: u32,
}

/// The firehose and its relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Age of the oldest event that a subscriber can request.
    pub backfill_limit: Duration,
    /// Relays that are asked to crawl this server.
    pub crawlers: Vec<Url>,
}

/// Restrictions on outbound requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Destinations that may be reached although they are not public. See [`crate::Settings::outbound_allow`].
    pub allow: Vec<AllowRule>,
    /// PEM file with certificates that are trusted in addition to the system's. See [`crate::Secrets::ca_bundle`].
    pub ca_file: Option<PathBuf>,
    /// SHA-256 that `ca_file` must have, in lower-case hex digits.
    pub ca_sha256: Option<String>,
}

impl Service {
    /// The URL under which clients and other servers reach this server, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> String {
        if !self.is_plain_http() {
            return format!("https://{}", self.hostname);
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.hostname, self.port)
    }

    /// True if no TLS proxy is expected in front of this server.
    pub(super) fn is_plain_http(&self) -> bool {
        self.dev_mode || self.hostname == "localhost"
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let hostname = reader.value(&setting::HOSTNAME);
        let did = reader.optional(&setting::SERVICE_DID);
        Self {
            port: reader.value(&setting::PORT),
            metrics_port: reader.value(&setting::METRICS_PORT),
            did: did.unwrap_or_else(|| format!("did:web:{hostname}").parse().expect("a host name makes a did:web")),
            hostname,
            dev_mode: reader.value(&setting::DEV_MODE),
            data_directory: reader.value(&setting::DATA_DIRECTORY),
            trusted_proxies: reader.value(&setting::TRUSTED_PROXIES),
            tls: Tls::read(reader),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { port, metrics_port, hostname, did, dev_mode, data_directory, trusted_proxies, tls } = self;
        out.put(&setting::PORT, port);
        out.put(&setting::METRICS_PORT, metrics_port);
        out.put(&setting::HOSTNAME, hostname);
        out.put(&setting::SERVICE_DID, did);
        out.put(&setting::DEV_MODE, dev_mode);
        out.put(&setting::DATA_DIRECTORY, data_directory);
        out.put(&setting::TRUSTED_PROXIES, trusted_proxies);
        out.put_some(&setting::TLS_CERT_FILE, tls.as_ref().map(|tls| &tls.cert_file));
        out.put_some(&setting::TLS_KEY_FILE, tls.as_ref().map(|tls| &tls.key_file));
    }
}

impl Tls {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let cert = reader.optional(&setting::TLS_CERT_FILE);
        let key = reader.optional(&setting::TLS_KEY_FILE);
        match (cert, key) {
            (Some(cert_file), Some(key_file)) => return Some(Self { cert_file, key_file }),
            (None, Some(_)) => {
                reader.refuse(&setting::TLS_CERT_FILE, None, "is required together with PDS_TLS_KEY_FILE")
            }
            (Some(_), None) => {
                reader.refuse(&setting::TLS_KEY_FILE, None, "is required together with PDS_TLS_CERT_FILE")
            }
            (None, None) => {}
        }
        None
    }
}

impl Contact {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            email: reader.optional(&setting::CONTACT_EMAIL_ADDRESS),
            privacy_policy: reader.optional(&setting::PRIVACY_POLICY_URL),
            terms_of_service: reader.optional(&setting::TERMS_OF_SERVICE_URL),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { email, privacy_policy, terms_of_service } = self;
        out.put_some(&setting::CONTACT_EMAIL_ADDRESS, email.as_ref());
        out.put_some(&setting::PRIVACY_POLICY_URL, privacy_policy.as_ref());
        out.put_some(&setting::TERMS_OF_SERVICE_URL, terms_of_service.as_ref());
    }
}

impl Import {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            accepted: reader.value(&setting::ACCEPTING_REPO_IMPORTS),
            max_bytes: reader.value(&setting::MAX_REPO_IMPORT_SIZE),
            max_records: reader.value(&setting::MAX_REPO_IMPORT_RECORDS),
            max_replaced: reader.value(&setting::MAX_REPO_IMPORT_REPLACED),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { accepted, max_bytes, max_records, max_replaced } = self;
        out.put(&setting::ACCEPTING_REPO_IMPORTS, accepted);
        out.put(&setting::MAX_REPO_IMPORT_SIZE, max_bytes);
        out.put(&setting::MAX_REPO_IMPORT_RECORDS, max_records);
        out.put(&setting::MAX_REPO_IMPORT_REPLACED, max_replaced);
    }
}

impl Sync {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            backfill_limit: reader.value(&setting::REPO_BACKFILL_LIMIT_MS),
            crawlers: reader.optional(&setting::CRAWLERS).unwrap_or_default(),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { backfill_limit, crawlers } = self;
        out.put(&setting::REPO_BACKFILL_LIMIT_MS, backfill_limit);
        out.put_list(&setting::CRAWLERS, crawlers);
    }
}

impl Outbound {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            allow: reader.optional(&setting::OUTBOUND_ALLOW).unwrap_or_default(),
            ca_file: reader.optional(&setting::CA_FILE),
            ca_sha256: reader.optional(&setting::CA_SHA256),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { allow, ca_file, ca_sha256 } = self;
        out.put_list(&setting::OUTBOUND_ALLOW, allow);
        out.put_some(&setting::CA_FILE, ca_file.as_ref());
        out.put_some(&setting::CA_SHA256, ca_sha256.as_ref());
    }
}
