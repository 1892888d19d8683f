//! The service itself: ports, names, TLS, and the small subjects around it.

use std::path::PathBuf;
use std::time::Duration;

use pds_syntax::Did;
use url::Url;

use crate::choice::LogFormat;
use crate::network::{AllowRule, Cidr};
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Ports, names, TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Port of XRPC; 0 lets the system choose.
    pub port: u16,
    /// Port of metrics and probes; 0 lets the system choose.
    pub metrics_port: u16,
    /// Public host name, lower case.
    pub hostname: String,
    /// DID of the service, the audience of its tokens.
    pub did: Did,
    /// The public URL is http with the port, and loopback may be reached.
    pub dev_mode: bool,
    /// Folder of everything kept on disk.
    pub data_directory: PathBuf,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The public port speaks TLS if this is set.
    pub tls: Option<Tls>,
}

/// Certificate and key of the public port, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub cert_file: PathBuf,
    /// Private key.
    pub key_file: PathBuf,
}

/// What describeServer says about the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// E-mail address.
    pub email: Option<String>,
    /// Privacy policy.
    pub privacy_policy: Option<Url>,
    /// Terms of service.
    pub terms_of_service: Option<Url>,
}

/// Repositories that move in from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Whether they may.
    pub accepted: bool,
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Most records of a repository.
    pub max_records: u32,
}

/// Firehose and relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// How far back a cursor may reach.
    pub backfill_limit: Duration,
    /// Relays to ask for a crawl.
    pub crawlers: Vec<Url>,
}

/// What outbound requests may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Exceptions from "public addresses only"; see [`crate::Settings::outbound_allow`].
    pub allow: Vec<AllowRule>,
    /// Certificates that are trusted beside the system's; see [`crate::Secrets::ca_bundle`].
    pub ca_file: Option<PathBuf>,
    /// The SHA-256 that this file must have, in lower-case hex digits.
    pub ca_sha256: Option<String>,
}

/// Log output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Shape of a line.
    pub format: LogFormat,
    /// Directives of the filter.
    pub filter: String,
}

impl Service {
    /// The URL under which clients and other servers reach this one, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> String {
        if !self.is_plain_http() {
            return format!("https://{}", self.hostname);
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.hostname, self.port)
    }

    /// True if nothing in front of this server is expected to bring TLS.
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
            (None, Some(_)) => reader.refuse(&setting::TLS_CERT_FILE, None, "is needed beside PDS_TLS_KEY_FILE"),
            (Some(_), None) => reader.refuse(&setting::TLS_KEY_FILE, None, "is needed beside PDS_TLS_CERT_FILE"),
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
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { accepted, max_bytes, max_records } = self;
        out.put(&setting::ACCEPTING_REPO_IMPORTS, accepted);
        out.put(&setting::MAX_REPO_IMPORT_SIZE, max_bytes);
        out.put(&setting::MAX_REPO_IMPORT_RECORDS, max_records);
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

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { format: reader.value(&setting::LOG_FORMAT), filter: reader.value(&setting::RUST_LOG) }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { format, filter } = self;
        out.put(&setting::LOG_FORMAT, format);
        out.put(&setting::RUST_LOG, filter);
    }
}
