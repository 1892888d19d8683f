//! Every variable, declared once. One row: identifier, type, name in the environment, default, codec, what it does.
//!
//! Names are the reference implementation's where it has the setting.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pds_syntax::Did;
use secrecy::SecretString;
use url::Url;

use crate::choice::{LogFormat, RedirectKind, S3Checksum};
use crate::codec;
use crate::database_url::DatabaseUrl;
use crate::network::{AllowRule, Cidr};
use crate::redis_url::RedisUrl;
use crate::variable::Fallback::{Computed, Required, Unset, Value};
use crate::variable::{Setting, Variable};

macro_rules! table {
    ($($section:literal { $($id:ident: $type:ty = $name:literal, $default:expr, $codec:expr, $about:literal;)* })*) => {
        /// The names of the variables.
        pub mod var {
            $($(#[doc = $about] pub const $id: &str = $name;)*)*
        }

        /// The typed declarations, for reading and rendering.
        pub(crate) mod setting {
            use super::*;
            $($(pub(crate) const $id: Setting<$type> = Setting {
                variable: Variable {
                    section: $section,
                    name: $name,
                    default: $default,
                    allowed: $codec.allowed,
                    secret: $codec.secret,
                    about: $about,
                },
                codec: $codec,
            };)*)*
        }

        /// Every variable, in the order of the configuration reference.
        pub static VARIABLES: &[Variable] = &[$($(setting::$id.variable,)*)*];

        /// Parses each fixed default; the names whose default is not allowed.
        #[cfg(test)]
        pub(crate) fn broken_defaults() -> Vec<&'static str> {
            let mut broken = Vec::new();
            $($(if let Value(text) = setting::$id.variable.default
                && (setting::$id.codec.parse)(text).is_err() { broken.push($name); })*)*
            broken
        }
    };
}

table! {
    "Service" {
        PORT: u16 = "PDS_PORT", Value("2583"), codec::PORT,
            "Port of XRPC and the well-known documents.";
        METRICS_PORT: u16 = "PDS_METRICS_PORT", Value("9464"), codec::PORT,
            "Port of `/metrics`, `/livez` and `/readyz`; keep it inside.";
        HOSTNAME: String = "PDS_HOSTNAME", Value("localhost"), codec::HOSTNAME,
            "Public host name. DID documents point to `https://` and this name; `localhost` is served as plain http.";
        SERVICE_DID: Did = "PDS_SERVICE_DID", Computed("did:web: and the host name"), codec::SERVICE_DID,
            "DID of the service itself, the audience of its tokens.";
        DEV_MODE: bool = "PDS_DEV_MODE", Value("false"), codec::BOOL,
            "For work on one machine: the public URL is http with the port, and loopback may be reached from here.";
        DATA_DIRECTORY: PathBuf = "PDS_DATA_DIRECTORY", Value("./data"), codec::PATH,
            "Folder of everything kept on disk: the SQLite database, generated secrets, blobs.";
        TRUSTED_PROXIES: Vec<Cidr> = "PDS_TRUSTED_PROXIES",
            Value("none"), codec::CIDRS,
            "Proxies in front of this server, whose `X-Forwarded-For` and `X-Request-Id` are believed: the client is the right-most address outside these networks. Without it every client of a proxy shares one budget; with too much in it clients choose their own address.";
        TLS_CERT_FILE: PathBuf = "PDS_TLS_CERT_FILE", Unset, codec::PATH,
            "PEM certificate chain. With the key: the public port speaks TLS.";
        TLS_KEY_FILE: PathBuf = "PDS_TLS_KEY_FILE", Unset, codec::PATH,
            "PEM private key of the certificate.";
    }
    "Identity" {
        SERVICE_HANDLE_DOMAINS: Vec<String> = "PDS_SERVICE_HANDLE_DOMAINS",
            Computed("a dot and the host name; .test on localhost"), codec::HANDLE_DOMAINS,
            "Domains under which accounts may choose a handle.";
        DID_PLC_URL: Url = "PDS_DID_PLC_URL", Value("https://plc.directory"), codec::ORIGIN,
            "The PLC directory that registers and answers did:plc.";
        RECOVERY_DID_KEY: Did = "PDS_RECOVERY_DID_KEY", Unset, codec::DID_KEY,
            "A rotation key that comes first in every new did:plc, kept elsewhere for recovery.";
        ID_RESOLVER_TIMEOUT: Duration = "PDS_ID_RESOLVER_TIMEOUT", Value("3000"), codec::MILLISECONDS,
            "Longest wait for one DID or handle lookup.";
        DID_CACHE_STALE_TTL: Duration = "PDS_DID_CACHE_STALE_TTL", Value("3600000"), codec::MILLISECONDS,
            "Age at which a cached DID document is refreshed, in the background.";
        DID_CACHE_MAX_TTL: Duration = "PDS_DID_CACHE_MAX_TTL", Value("86400000"), codec::MILLISECONDS,
            "Age at which a cached DID document is not used any more.";
        HANDLE_BACKUP_NAMESERVERS: Vec<SocketAddr> = "PDS_HANDLE_BACKUP_NAMESERVERS", Unset, codec::NAME_SERVERS,
            "Name servers to ask when the system's do not resolve a handle.";
    }
    "Database" {
        DATABASE_URL: DatabaseUrl = "PDS_DATABASE_URL", Computed("SQLite, pds.sqlite in the data directory"),
            codec::DATABASE_URL,
            "Where the database is.";
        POSTGRES_MAX_CONNECTIONS: u32 = "POSTGRES_MAX_CONNECTIONS", Computed("twice the cores, plus one"), codec::COUNT,
            "Most connections one replica opens to Postgres.";
        POSTGRES_MIN_CONNECTIONS: u32 = "POSTGRES_MIN_CONNECTIONS", Value("1"), codec::COUNT_FROM_ZERO,
            "Connections kept open when idle.";
        POSTGRES_CONNECT_TIMEOUT: Duration = "POSTGRES_CONNECT_TIMEOUT", Value("30"), codec::SECONDS,
            "Longest wait for a connection.";
        POSTGRES_IDLE_TIMEOUT: Duration = "POSTGRES_IDLE_TIMEOUT", Value("600"), codec::SECONDS,
            "Idle time after which a connection is closed.";
        POSTGRES_MAX_LIFETIME: Duration = "POSTGRES_MAX_LIFETIME", Value("1800"), codec::SECONDS,
            "Age at which a connection is closed and replaced.";
    }
    "Blobs" {
        BLOBSTORE_DISK_LOCATION: PathBuf = "PDS_BLOBSTORE_DISK_LOCATION",
            Computed("blobs in the data directory, unless S3 is set"), codec::PATH,
            "Folder of the blobs. Not together with S3.";
        BLOBSTORE_DISK_TMP_LOCATION: PathBuf = "PDS_BLOBSTORE_DISK_TMP_LOCATION",
            Computed(".tmp in the folder of the blobs"), codec::PATH,
            "Folder of uploads that are not complete; on the same file system as the blobs.";
        BLOBSTORE_S3_BUCKET: String = "PDS_BLOBSTORE_S3_BUCKET", Unset, codec::BUCKET,
            "Bucket of the blobs.";
        BLOBSTORE_S3_REGION: String = "PDS_BLOBSTORE_S3_REGION",
            Computed("what the name of the endpoint says (R2, B2, Wasabi), else us-east-1; on AWS what the environment says"),
            codec::NAME,
            "Region of the bucket.";
        BLOBSTORE_S3_ENDPOINT: Url = "PDS_BLOBSTORE_S3_ENDPOINT", Computed("the endpoint of AWS in the region"),
            codec::ORIGIN,
            "S3 server, if it is not AWS.";
        BLOBSTORE_S3_FORCE_PATH_STYLE: bool = "PDS_BLOBSTORE_S3_FORCE_PATH_STYLE",
            Computed("true at an endpoint that is an IP address or a name of one label"), codec::BOOL,
            "Puts the bucket into the path instead of the host name.";
        BLOBSTORE_S3_CHECKSUM: S3Checksum = "PDS_BLOBSTORE_S3_CHECKSUM",
            Computed("when_supported on AWS, when_required at an own endpoint"), codec::S3_CHECKSUM,
            "Whether requests carry a CRC-32 beside the signature, which some servers refuse.";
        BLOBSTORE_S3_PUBLIC_ENDPOINT: Url = "PDS_BLOBSTORE_S3_PUBLIC_ENDPOINT", Computed("the endpoint"), codec::ORIGIN,
            "The S3 server as clients reach it, for `PDS_BLOB_REDIRECT=presigned`.";
        BLOBSTORE_S3_ACCESS_KEY_ID: SecretString = "PDS_BLOBSTORE_S3_ACCESS_KEY_ID",
            Computed("workload identity, as the AWS environment gives it"), codec::ACCESS_KEY,
            "Access key id; with the secret key or not at all.";
        BLOBSTORE_S3_SECRET_ACCESS_KEY: SecretString = "PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY",
            Computed("workload identity, as the AWS environment gives it"), codec::ACCESS_KEY,
            "Secret access key.";
        BLOBSTORE_S3_UPLOAD_TIMEOUT_MS: Duration = "PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS", Value("20000"),
            codec::MILLISECONDS,
            "Longest time for sending one object, or one part of a large one.";
        BLOBSTORE_S3_REQUEST_TIMEOUT_MS: Duration = "PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS", Value("10000"),
            codec::MILLISECONDS,
            "Longest time until any other S3 request is answered.";
        BLOB_UPLOAD_LIMIT: u64 = "PDS_BLOB_UPLOAD_LIMIT", Value("100000000"), codec::SIZE,
            "Largest blob an account may upload. The default is what the lexicon of videos allows.";
        BLOB_UPLOAD_MEMORY: u64 = "PDS_BLOB_UPLOAD_MEMORY",
            Computed("a quarter of the container's memory limit, 16 MiB to 128 MiB; 128 MiB without one"), codec::SIZE,
            "Memory that all uploads to S3 on their way may hold together, at least 16 MiB. Those that find none for 10 s are answered 503.";
        ACCOUNT_QUOTA_BYTES: u64 = "PDS_ACCOUNT_QUOTA_BYTES", Value("0"), codec::SIZE,
            "Bytes that all blobs of one account may have together; 0 is no limit.";
        BLOB_REDIRECT: RedirectKind = "PDS_BLOB_REDIRECT", Value("off"), codec::REDIRECT,
            "Where getBlob sends clients: nowhere, to a link into the bucket that is good for 5 minutes, or to a CDN whose origin is this server.";
        BLOB_CDN_URL_PATTERN: String = "PDS_BLOB_CDN_URL_PATTERN", Unset, codec::CDN_PATTERN,
            "Where `PDS_BLOB_REDIRECT=cdn` sends clients.";
    }
    "Accounts" {
        INVITE_REQUIRED: bool = "PDS_INVITE_REQUIRED", Value("true"), codec::BOOL,
            "Whether an account can be created only with an invite code.";
        ACCEPTING_REPO_IMPORTS: bool = "PDS_ACCEPTING_REPO_IMPORTS", Value("true"), codec::BOOL,
            "Whether accounts may bring the repository that they had elsewhere.";
        MAX_REPO_IMPORT_SIZE: u64 = "PDS_MAX_REPO_IMPORT_SIZE", Value("268435456"), codec::SIZE,
            "Largest file of a repository that is brought. While it is read it lies in the folder for temporary files.";
        MAX_REPO_IMPORT_RECORDS: u32 = "PDS_MAX_REPO_IMPORT_RECORDS", Value("2000000"), codec::COUNT,
            "Most records of a repository that is brought. Memory grows with them: about 150 bytes each while the import runs.";
        CONTACT_EMAIL_ADDRESS: String = "PDS_CONTACT_EMAIL_ADDRESS", Unset, codec::EMAIL,
            "Shown by describeServer.";
        PRIVACY_POLICY_URL: Url = "PDS_PRIVACY_POLICY_URL", Unset, codec::URL,
            "Shown by describeServer.";
        TERMS_OF_SERVICE_URL: Url = "PDS_TERMS_OF_SERVICE_URL", Unset, codec::URL,
            "Shown by describeServer.";
    }
    "Rate limits" {
        RATE_LIMITS_ENABLED: bool = "PDS_RATE_LIMITS_ENABLED", Computed("true; false in dev mode"), codec::BOOL,
            "Whether requests are limited. Health and well-known documents never are.";
        RATE_LIMIT_UNAUTHENTICATED: u32 = "RATE_LIMIT_UNAUTHENTICATED", Value("600"), codec::COUNT,
            "Requests a minute from one address (IPv6: one /64) without a session.";
        RATE_LIMIT_UNAUTHENTICATED_BURST: u32 = "RATE_LIMIT_UNAUTHENTICATED_BURST", Value("10"), codec::COUNT,
            "How many of them may come at once.";
        RATE_LIMIT_AUTHENTICATED: u32 = "RATE_LIMIT_AUTHENTICATED", Value("6000"), codec::COUNT,
            "Requests a minute of one account.";
        RATE_LIMIT_AUTHENTICATED_BURST: u32 = "RATE_LIMIT_AUTHENTICATED_BURST", Value("50"), codec::COUNT,
            "How many of them may come at once.";
        RATE_LIMIT_ADMIN: u32 = "RATE_LIMIT_ADMIN", Value("60000"), codec::COUNT,
            "Requests a minute of the administrator.";
        RATE_LIMIT_ADMIN_BURST: u32 = "RATE_LIMIT_ADMIN_BURST", Value("100"), codec::COUNT,
            "How many of them may come at once.";
        RATE_LIMIT_DISTRIBUTED: bool = "RATE_LIMIT_DISTRIBUTED", Computed("true with Redis"), codec::BOOL,
            "Whether the replicas share their budgets through Redis.";
        RATE_LIMIT_BYPASS_IPS: Vec<Cidr> = "PDS_RATE_LIMIT_BYPASS_IPS", Unset, codec::CIDRS,
            "Clients that are not limited.";
        RATE_LIMIT_BYPASS_KEY: SecretString = "PDS_RATE_LIMIT_BYPASS_KEY", Unset, codec::BYPASS_KEY,
            "Requests with this text in `x-ratelimit-bypass` are not limited.";
    }
    "Limits" {
        MAX_CONNECTIONS: u32 = "PDS_MAX_CONNECTIONS",
            Computed("one per 256 KiB of the container's memory limit, at most 4096 and half of the open files allowed"), codec::COUNT,
            "Open connections on the public port. Beyond it the connection that is idle for longest makes room. One address, unless it is a trusted proxy, gets a quarter of them.";
        ANSWER_MEMORY: u64 = "PDS_ANSWER_MEMORY",
            Computed("a sixteenth of the container's memory limit, 16 MiB to 64 MiB; 64 MiB without one"), codec::SIZE,
            "Memory that answers above 64 KiB may hold together while they wait for their readers. The reader that took nothing for longest loses its answer; if none did, the new request is answered 503.";
        REPO_MEMORY: u64 = "PDS_REPO_MEMORY",
            Computed("three sixteenths of the container's memory limit, at least 16 MiB; 96 MiB without one"), codec::SIZE,
            "Memory for repositories that were used in the last ten minutes, about 80 bytes a record.";
        EXPORT_SPOOL: u64 = "PDS_EXPORT_SPOOL", Value("1GiB"), codec::SIZE,
            "Disk in the folder for temporary files that exports to slow readers may take together. Exports that find none break off.";
        MAX_SUBSCRIBERS: u32 = "PDS_MAX_SUBSCRIBERS", Value("1000"), codec::COUNT,
            "Open subscriptions to the firehose; more are answered 503.";
        SUBSCRIBER_MEMORY: u64 = "PDS_SUBSCRIBER_MEMORY",
            Computed("an eighth of the container's memory limit, 8 MiB to 64 MiB; 64 MiB without one"), codec::SIZE,
            "Memory that subscribers may take together while they read earlier events. When it is used up they take turns.";
    }
    "Redis" {
        REDIS_URL: RedisUrl = "REDIS_URL", Computed("PDS_REDIS_SCRATCH_ADDRESS"), codec::REDIS_URL,
            "Redis or Valkey, shared by the replicas. Nothing is lost with it.";
        REDIS_SCRATCH_ADDRESS: String = "PDS_REDIS_SCRATCH_ADDRESS", Unset, codec::HOST_AND_PORT,
            "The same without TLS, as the reference implementation names it. `REDIS_URL` wins.";
        REDIS_SCRATCH_PASSWORD: SecretString = "PDS_REDIS_SCRATCH_PASSWORD", Unset, codec::REDIS_PASSWORD,
            "Password at that address.";
        CACHE_KEY_PREFIX: String = "CACHE_KEY_PREFIX", Value("aurora:"), codec::KEY_PREFIX,
            "Begins every key in Redis. Instances on one Redis need one each.";
    }
    "Sync" {
        REPO_BACKFILL_LIMIT_MS: Duration = "PDS_REPO_BACKFILL_LIMIT_MS", Value("86400000"), codec::MILLISECONDS,
            "How far back a firehose cursor may reach.";
        CRAWLERS: Vec<Url> = "PDS_CRAWLERS", Unset, codec::ORIGINS,
            "Relays that are asked to crawl this server.";
    }
    "Outbound" {
        OUTBOUND_ALLOW: Vec<AllowRule> = "PDS_OUTBOUND_ALLOW", Unset, codec::ALLOW_RULES,
            "What identity lookups may reach although it is not a public address.";
        CA_FILE: PathBuf = "PDS_CA_FILE", Unset, codec::PATH,
            "PEM file with certificates of authorities that every outgoing TLS connection trusts beside the system's: S3, the PLC directory, identity lookups, Redis, and PostgreSQL unless its URL names another with `sslrootcert`. Read at the start.";
        CA_SHA256: String = "PDS_CA_SHA256", Unset, codec::SHA256,
            "SHA-256 of the file that `PDS_CA_FILE` names. The server does not start with a file that has another one: whoever can write the file cannot choose what is trusted.";
    }
    "Logs" {
        LOG_FORMAT: LogFormat = "PDS_LOG_FORMAT", Value("json"), codec::LOG_FORMAT,
            "One JSON object per line, or text for a terminal.";
        RUST_LOG: String = "RUST_LOG", Value("info"), codec::FILTER,
            "What is logged.";
    }
    "Secrets" {
        JWT_SECRET: SecretString = "PDS_JWT_SECRET", Required, codec::JWT_SECRET,
            "Signs the sessions. A new value ends them all.";
        ADMIN_PASSWORD: SecretString = "PDS_ADMIN_PASSWORD", Required, codec::ADMIN_PASSWORD,
            "Password of the user `admin`, for the methods of administrators.";
        PLC_ROTATION_KEY: SecretString = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", Required, codec::K256_KEY,
            "Signs the operations of the accounts' did:plc. If it is lost, no account can move or change its handle.";
        KEY_ENCRYPTION_KEY: SecretString = "PDS_KEY_ENCRYPTION_KEY", Required, codec::SEAL_KEY,
            "Seals the accounts' signing keys in the database. If it is lost, no account can write.";
    }
}
