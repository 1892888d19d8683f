//! Declares every variable once. A row has the identifier, type, name in the environment, default, codec and help text.
//!
//! A variable has the name that the reference implementation uses, if the reference implementation has the setting.
// tidy: long because it is the table of all settings

// tidy: long because it is one row for each variable, in one place

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pds_syntax::Did;
use secrecy::SecretString;
use url::Url;

use crate::choice::{
    BlobStoreType, DatabaseType, LogFormat, LogLevel, NeedsEmail, OtlpProtocol, RedirectKind, S3Checksum, SamplerKind,
};
use crate::codec;
use crate::database_url::DatabaseUrl;
use crate::kms_key_id::KmsKeyId;
use crate::log_sample::LogSample;
use crate::network::{AllowRule, Cidr};
use crate::redis_url::RedisUrl;
use crate::smtp_url::SmtpUrl;
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

        /// Checks the value of a variable. The error does not contain the value.
        ///
        /// # Errors
        /// What is wrong with it, or that there is no such variable.
        pub fn check(name: &str, value: &str) -> Result<(), String> {
            match name {
                $($($name => (setting::$id.codec.parse)(value).map(drop),)*)*
                _ => Err("is no variable of the PDS".into()),
            }
        }

        /// The names of the variables whose fixed default is not an allowed value.
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
            "TCP port for clients: XRPC methods and the well-known documents.";
        METRICS_PORT: u16 = "PDS_METRICS_PORT", Value("9464"), codec::PORT,
            "TCP port of `/metrics`, `/health`, `/livez` and `/readyz`. These have no authentication: do not expose this port to the internet.";
        HOSTNAME: String = "PDS_HOSTNAME", Value("localhost"), codec::HOSTNAME,
            "Public host name of this server. Its public URL, which DID documents name, is `https://` and this name. For `localhost` the URL has the port, and `http://` unless TLS is set.";
        SERVICE_DID: Did = "PDS_SERVICE_DID", Computed("did:web: and the host name"), codec::SERVICE_DID,
            "DID of this server. Service tokens that clients send must name it as their audience.";
        DEV_MODE: bool = "PDS_DEV_MODE", Value("false"), codec::BOOL,
            "Development mode, for one machine only: the public URL has the port, and `http://` unless TLS is set; outbound requests may reach loopback addresses; rate limits are off unless `PDS_RATE_LIMITS_ENABLED` is set.";
        DATA_DIRECTORY: PathBuf = "PDS_DATA_DIRECTORY", Value("./data"), codec::PATH,
            "Directory for the SQLite database, the generated secrets and, without S3, the blobs. Back it up.";
        TRUSTED_PROXIES: Vec<Cidr> = "PDS_TRUSTED_PROXIES",
            Value("none"), codec::CIDRS,
            "Addresses of the reverse proxies in front of this server. Only from these are `X-Forwarded-For` and `X-Request-Id` used. The client is the right-most address in `X-Forwarded-For` that is not in these networks. If a proxy is missing here, all its clients share one rate limit. If a network here contains clients, those clients can forge their address.";
        TLS_CERT_FILE: PathBuf = "PDS_TLS_CERT_FILE", Unset, codec::PATH,
            "PEM file with the certificate chain, leaf first. If it is set together with `PDS_TLS_KEY_FILE`, the public port speaks TLS.";
        TLS_KEY_FILE: PathBuf = "PDS_TLS_KEY_FILE", Unset, codec::PATH,
            "PEM file with the private key of `PDS_TLS_CERT_FILE`.";
    }
    "Identity" {
        SERVICE_HANDLE_DOMAINS: Vec<String> = "PDS_SERVICE_HANDLE_DOMAINS",
            Computed("a dot and the host name; .test on localhost"), codec::HANDLE_DOMAINS,
            "Domains under which accounts may choose a handle without proving that they own a domain.";
        DID_PLC_URL: Url = "PDS_DID_PLC_URL", Value("https://plc.directory"), codec::ORIGIN,
            "PLC directory in which `did:plc` identities are registered and looked up.";
        RECOVERY_DID_KEY: Did = "PDS_RECOVERY_DID_KEY", Unset, codec::DID_KEY,
            "Public key of a recovery key that you keep offline. Every new `did:plc` gets it as its first rotation key, so that its owner can override the rotation key of this server.";
        ID_RESOLVER_TIMEOUT: Duration = "PDS_ID_RESOLVER_TIMEOUT", Value("3s"), codec::MILLISECONDS,
            "Maximum time for the lookup of one DID or handle. The hosts file and the DNS servers of the system are read once, at the start.";
        DID_CACHE_STALE_TTL: Duration = "PDS_DID_CACHE_STALE_TTL", Value("1h"), codec::MILLISECONDS,
            "Age after which a cached DID document is still used but refreshed in the background.";
        CACHE_DID_DOC_TTL: Duration = "CACHE_DID_DOC_TTL", Computed("PDS_DID_CACHE_STALE_TTL"), codec::SECONDS,
            "Another name of `PDS_DID_CACHE_STALE_TTL`, in seconds. If both are set, `PDS_DID_CACHE_STALE_TTL` counts.";
        DID_CACHE_MAX_TTL: Duration = "PDS_DID_CACHE_MAX_TTL", Value("1d"), codec::MILLISECONDS,
            "Age after which a cached DID document is no longer used.";
        HANDLE_BACKUP_NAMESERVERS: Vec<SocketAddr> = "PDS_HANDLE_BACKUP_NAMESERVERS", Unset, codec::NAME_SERVERS,
            "DNS servers that are queried if the DNS servers of the system do not resolve a handle.";
    }
    "Records" {
        LEXICON_RESOLVER_TIMEOUT: Duration = "PDS_LEXICON_RESOLVER_TIMEOUT", Value("5s"), codec::MILLISECONDS,
            "Maximum time that a write with `validate: true` waits for the lexicon of a collection that is not built in. Writes without `validate` never wait for it. With 0 no lexicons are looked up for records.";
        RECORD_RULES_FILE: PathBuf = "PDS_RECORD_RULES_FILE", Unset, codec::PATH,
            "JSON file with this host's own rules for records: `allow` and `deny` list collections, such as `app.example.thing` and `app.example.*`; `maxBytes` maps collections to the maximum size of a record. The rules only narrow what may be created or changed. Imports and deletions are not subject to them. Read at the start; a file with a mistake stops the start.";
    }
    "Database" {
        DATABASE_URL: DatabaseUrl = "PDS_DATABASE_URL", Computed("SQLite, pds.sqlite in the data directory"),
            codec::DATABASE_URL,
            "SQLite file or PostgreSQL database. More than one replica needs PostgreSQL.";
        GENERAL_DATABASE_URL: DatabaseUrl = "DATABASE_URL", Computed("PDS_DATABASE_URL"), codec::DATABASE_URL,
            "Another name of `PDS_DATABASE_URL`. If both are set, `PDS_DATABASE_URL` counts.";
        DATABASE_TYPE: DatabaseType = "DATABASE_TYPE", Computed("as the URL says"), codec::DATABASE_TYPE,
            "Kind of the database. If `PDS_DATABASE_URL` names another kind, the server does not start.";
        POSTGRES_MAX_CONNECTIONS: u32 = "POSTGRES_MAX_CONNECTIONS", Computed("twice the cores, plus one"), codec::COUNT,
            "Maximum number of PostgreSQL connections of one replica.";
        POSTGRES_MIN_CONNECTIONS: u32 = "POSTGRES_MIN_CONNECTIONS", Value("1"), codec::COUNT_FROM_ZERO,
            "Number of PostgreSQL connections that stay open when idle.";
        POSTGRES_CONNECT_TIMEOUT: Duration = "POSTGRES_CONNECT_TIMEOUT", Value("30s"), codec::SECONDS,
            "Maximum time to wait for a PostgreSQL connection.";
        POSTGRES_IDLE_TIMEOUT: Duration = "POSTGRES_IDLE_TIMEOUT", Value("10m"), codec::SECONDS,
            "Idle time after which a PostgreSQL connection is closed.";
        POSTGRES_MAX_LIFETIME: Duration = "POSTGRES_MAX_LIFETIME", Value("30m"), codec::SECONDS,
            "Age after which a PostgreSQL connection is closed and replaced.";
        SLOW_QUERY_MS: Duration = "PDS_SLOW_QUERY_MS", Value("200"), codec::MILLISECONDS,
            "Statements of the database that take at least this long are counted in `aurora_db_slow_queries_total`, and at most ten of them in a second are logged, each with the name of the function that runs it. Waiting for a free connection does not count. 0 turns this off.";
    }
    "Blobs" {
        BLOBSTORE_TYPE: BlobStoreType = "PDS_BLOBSTORE_TYPE", Computed("s3 if PDS_BLOBSTORE_S3_BUCKET is set, otherwise disk"), codec::BLOBSTORE_TYPE,
            "Kind of the blob store. If the other settings describe another kind, the server does not start.";
        BLOBSTORE_DISK_LOCATION: PathBuf = "PDS_BLOBSTORE_DISK_LOCATION",
            Computed("the directory blobs in PDS_DATA_DIRECTORY, if no S3 bucket is set"), codec::PATH,
            "Directory of the blobs. Cannot be combined with `PDS_BLOBSTORE_S3_BUCKET`.";
        BLOBSTORE_DISK_TMP_LOCATION: PathBuf = "PDS_BLOBSTORE_DISK_TMP_LOCATION",
            Computed("the directory .tmp in the directory of the blobs"), codec::PATH,
            "Directory of unfinished uploads. It must be on the same file system as the blobs.";
        BLOBSTORE_S3_BUCKET: String = "PDS_BLOBSTORE_S3_BUCKET", Unset, codec::BUCKET,
            "Name of the S3 bucket of the blobs. The bucket must exist. If it is set, blobs are not stored on disk.";
        BLOBSTORE_S3_REGION: String = "PDS_BLOBSTORE_S3_REGION",
            Computed("from the host name of the endpoint (R2, B2, Wasabi), otherwise us-east-1; on AWS from the environment"),
            codec::NAME,
            "Region of the S3 bucket.";
        BLOBSTORE_S3_ENDPOINT: Url = "PDS_BLOBSTORE_S3_ENDPOINT", Computed("AWS"),
            codec::ORIGIN,
            "URL of an S3 server other than AWS.";
        BLOBSTORE_S3_FORCE_PATH_STYLE: bool = "PDS_BLOBSTORE_S3_FORCE_PATH_STYLE",
            Computed("true if the host of the endpoint is an IP address or has no dot"), codec::BOOL,
            "Puts the name of the bucket into the path of S3 URLs instead of the host name.";
        BLOBSTORE_S3_CHECKSUM: S3Checksum = "PDS_BLOBSTORE_S3_CHECKSUM",
            Computed("when_supported on AWS, when_required with PDS_BLOBSTORE_S3_ENDPOINT"), codec::S3_CHECKSUM,
            "Whether every S3 request carries a CRC-32 checksum (`when_supported`) or only those for which S3 requires one (`when_required`). Some S3 servers refuse requests with a checksum.";
        BLOBSTORE_S3_PUBLIC_ENDPOINT: Url = "PDS_BLOBSTORE_S3_PUBLIC_ENDPOINT", Computed("PDS_BLOBSTORE_S3_ENDPOINT"), codec::ORIGIN,
            "URL under which clients reach the S3 server. Used in the links of `PDS_BLOB_REDIRECT=presigned`.";
        BLOBSTORE_S3_ACCESS_KEY_ID: SecretString = "PDS_BLOBSTORE_S3_ACCESS_KEY_ID",
            Computed("workload identity, from the AWS environment"), codec::ACCESS_KEY,
            "Access key ID for S3. Requires `PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY`.";
        BLOBSTORE_S3_SECRET_ACCESS_KEY: SecretString = "PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY",
            Computed("workload identity, from the AWS environment"), codec::ACCESS_KEY,
            "Secret access key for S3. Requires `PDS_BLOBSTORE_S3_ACCESS_KEY_ID`.";
        BLOBSTORE_S3_UPLOAD_TIMEOUT_MS: Duration = "PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS", Value("20s"),
            codec::MILLISECONDS,
            "Maximum time to send one object, or one part of a large object, to S3. Includes retries.";
        BLOBSTORE_S3_REQUEST_TIMEOUT_MS: Duration = "PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS", Value("10s"),
            codec::MILLISECONDS,
            "Maximum time for any other S3 request. Includes retries.";
        BLOB_UPLOAD_LIMIT: u64 = "PDS_BLOB_UPLOAD_LIMIT", Value("100MB"), codec::SIZE,
            "Maximum size of one blob. The default is the limit that the lexicon sets for videos.";
        BLOB_UPLOAD_MEMORY: u64 = "PDS_BLOB_UPLOAD_MEMORY",
            Computed("an eighth of the container's memory limit, at most 128 MiB; 128 MiB without a memory limit"), codec::SIZE,
            "Maximum memory of all uploads to S3 together; at least 16 MiB. An upload that waits for memory for longer than 10 s is answered 503.";
        ACCOUNT_QUOTA_BYTES: u64 = "PDS_ACCOUNT_QUOTA_BYTES", Value("0"), codec::SIZE,
            "Maximum size of all records and blobs of one account together; an administrator may set another one for an account. 0 means no limit. Beyond it, uploads, imports and writes that make the account larger are refused with `AccountQuotaExceeded`; deletions are not.";
        BLOB_REDIRECT: RedirectKind = "PDS_BLOB_REDIRECT", Value("off"), codec::REDIRECT,
            "How getBlob answers. `off`: with the blob. `presigned`: with a redirect to a link into the S3 bucket that is valid for 5 minutes. `cdn`: with a redirect to `PDS_BLOB_CDN_URL_PATTERN`; the origin of that CDN must be this server.";
        BLOB_CDN_URL_PATTERN: String = "PDS_BLOB_CDN_URL_PATTERN", Unset, codec::CDN_PATTERN,
            "URL to which `PDS_BLOB_REDIRECT=cdn` redirects.";
    }
    "Accounts" {
        INVITE_REQUIRED: bool = "PDS_INVITE_REQUIRED", Value("true"), codec::BOOL,
            "If true, creating an account requires an invite code.";
        INVITE_INTERVAL: Duration = "PDS_INVITE_INTERVAL", Unset, codec::MILLISECONDS,
            "How often an account may make an invite code of its own, with getAccountInviteCodes; at most five unused ones at a time. Not set: accounts make no codes.";
        INVITE_EPOCH: Duration = "PDS_INVITE_EPOCH", Value("0"), codec::MILLISECONDS,
            "Time, in milliseconds since 1970, from which on accounts may make invite codes: intervals before it do not count.";
        ACCEPTING_REPO_IMPORTS: bool = "PDS_ACCEPTING_REPO_IMPORTS", Value("true"), codec::BOOL,
            "If true, accounts may import the repository that they have on another server.";
        MAX_REPO_IMPORT_SIZE: u64 = "PDS_MAX_REPO_IMPORT_SIZE", Value("256MiB"), codec::SIZE,
            "Maximum size of an imported repository file, and of its records together. During the import the file is in the directory for temporary files (`TMPDIR`), at most eight files at once.";
        MAX_REPO_IMPORT_RECORDS: u32 = "PDS_MAX_REPO_IMPORT_RECORDS", Value("2000000"), codec::COUNT,
            "Maximum number of records of an imported repository. `PDS_IMPORT_MEMORY` may allow fewer.";
        MAX_REPO_IMPORT_REPLACED: u32 = "PDS_MAX_REPO_IMPORT_REPLACED", Value("1000"), codec::COUNT,
            "Maximum number of records of the account that an import may change or delete. Each reference to a blob, before and after, counts as one more. They are replaced in one transaction, for which other writes wait: about 50 microseconds for each record. New records do not count.";
        ACCOUNT_DELETE_GRACE_MS: Duration = "PDS_ACCOUNT_DELETE_GRACE_MS", Value("7d"), codec::MILLISECONDS,
            "How long the data of a deleted account is kept, so that an administrator can restore it. To others the account is gone at once. 0 removes the data at once.";
        CONTACT_EMAIL_ADDRESS: String = "PDS_CONTACT_EMAIL_ADDRESS", Unset, codec::EMAIL,
            "Contact address that describeServer shows.";
        PRIVACY_POLICY_URL: Url = "PDS_PRIVACY_POLICY_URL", Unset, codec::URL,
            "Link to the privacy policy that describeServer shows.";
        TERMS_OF_SERVICE_URL: Url = "PDS_TERMS_OF_SERVICE_URL", Unset, codec::URL,
            "Link to the terms of service that describeServer shows.";
    }
    "E-mail" {
        EMAIL_SMTP_URL: SmtpUrl = "PDS_EMAIL_SMTP_URL", Unset, codec::SMTP_URL,
            "SMTP server for mails to users. `smtps://` speaks TLS from the start, by default on port 465. `smtp://` uses STARTTLS, by default on port 587: always if the URL has a password, otherwise if the server offers it; `?tls=required`, `?tls=opportunistic` and `?tls=none` say something else. Special characters in user and password are percent-encoded. Requires `PDS_EMAIL_FROM_ADDRESS`. Without it the server sends no mails: nobody can confirm an address or reset a password without an administrator.";
        EMAIL_FROM_ADDRESS: String = "PDS_EMAIL_FROM_ADDRESS", Unset, codec::MAILBOX,
            "Sender of mails to users. Requires `PDS_EMAIL_SMTP_URL`.";
        EMAIL_DISABLE_CONFIRMATION_LINK: bool = "PDS_EMAIL_DISABLE_CONFIRMATION_LINK", Value("false"), codec::BOOL,
            "If true, mails that confirm an address contain only the code, without a link that opens the Bluesky app with it.";
        EMAIL_TEMPLATES_DIRECTORY: PathBuf = "PDS_EMAIL_TEMPLATES_DIRECTORY", Unset, codec::PATH,
            "Directory with templates that replace or translate the built-in ones: a directory for each language, such as `en` or `pt-br`, with `confirm-email.txt`, `confirm-email.html` and so on. Read at the start; a template with a mistake stops the start.";
        EMAIL_LANGUAGE: String = "PDS_EMAIL_LANGUAGE", Value("en"), codec::LANGUAGE,
            "Language of mails to users whose app asks for none that there are templates for.";
        MODERATION_EMAIL_SMTP_URL: SmtpUrl = "PDS_MODERATION_EMAIL_SMTP_URL", Unset, codec::SMTP_URL,
            "SMTP server for mails that an administrator or a moderation service sends, in the form of `PDS_EMAIL_SMTP_URL`. Requires `PDS_MODERATION_EMAIL_ADDRESS`. Without both, the server and the sender of mails to users are used.";
        MODERATION_EMAIL_ADDRESS: String = "PDS_MODERATION_EMAIL_ADDRESS", Unset, codec::MAILBOX,
            "Sender of mails that an administrator or a moderation service sends. Requires `PDS_MODERATION_EMAIL_SMTP_URL`.";
        REQUIRE_CONFIRMED_EMAIL: Vec<NeedsEmail> = "PDS_REQUIRE_CONFIRMED_EMAIL", Value("none"), codec::NEEDS_EMAIL,
            "What accounts may do only after they have confirmed their e-mail address: create and change records, upload blobs, have invite codes. Never required to sign in, to move to another server or to delete something.";
    }
    "Rate limits" {
        RATE_LIMITS_ENABLED: bool = "PDS_RATE_LIMITS_ENABLED", Computed("true; false in dev mode"), codec::BOOL,
            "If false, no request is refused because of its rate. Health checks and well-known documents are never limited.";
        RATE_LIMIT_UNAUTHENTICATED: u32 = "RATE_LIMIT_UNAUTHENTICATED", Value("600"), codec::COUNT,
            "Requests per minute from one IP address (IPv6: one /64 network) without a session.";
        RATE_LIMIT_UNAUTHENTICATED_BURST: u32 = "RATE_LIMIT_UNAUTHENTICATED_BURST", Value("10"), codec::COUNT,
            "Number of these requests that may arrive at once.";
        RATE_LIMIT_AUTHENTICATED: u32 = "RATE_LIMIT_AUTHENTICATED", Value("6000"), codec::COUNT,
            "Requests per minute of one account.";
        RATE_LIMIT_AUTHENTICATED_BURST: u32 = "RATE_LIMIT_AUTHENTICATED_BURST", Value("50"), codec::COUNT,
            "Number of requests of one account that may arrive at once.";
        RATE_LIMIT_ADMIN: u32 = "RATE_LIMIT_ADMIN", Value("60000"), codec::COUNT,
            "Requests per minute with the password of the administrator.";
        RATE_LIMIT_ADMIN_BURST: u32 = "RATE_LIMIT_ADMIN_BURST", Value("100"), codec::COUNT,
            "Number of requests of the administrator that may arrive at once.";
        RATE_LIMIT_DISTRIBUTED: bool = "RATE_LIMIT_DISTRIBUTED", Computed("true if Redis is configured"), codec::BOOL,
            "If true, a rate limit counts the requests to all replicas together, in Redis. Otherwise each replica counts its own.";
        RATE_LIMIT_BYPASS_IPS: Vec<Cidr> = "PDS_RATE_LIMIT_BYPASS_IPS", Unset, codec::CIDRS,
            "Client addresses without rate limits.";
        RATE_LIMIT_BYPASS_KEY: SecretString = "PDS_RATE_LIMIT_BYPASS_KEY", Unset, codec::BYPASS_KEY,
            "Requests that carry this text in the header `x-ratelimit-bypass` are not limited.";
    }
    "Limits" {
        MAX_CONNECTIONS: u32 = "PDS_MAX_CONNECTIONS",
            Computed("one per 256 KiB of the container's memory limit, at most 4096 and at most half of the limit of open files"), codec::COUNT,
            "Maximum number of connections on the public port. When it is reached, a new connection replaces one that is idle: one of the client address with most connections, or else the one that has been idle for longest. If none is idle, it replaces one of the address with most. One client address gets at most a quarter of them; trusted proxies have no such limit. Half as many requests, at least 128, may wait for their answers at the same time, an eighth of them of one address; further ones are answered 503.";
        ANSWER_MEMORY: u64 = "PDS_ANSWER_MEMORY",
            Computed("a sixteenth of the container's memory limit, at most 64 MiB; 64 MiB without a memory limit"), codec::SIZE,
            "Maximum memory of all responses that clients have not read yet, and for their compression. When it is used up, responses are not compressed, and the client address with most loses the response that it reads slowest. If no address has more than the new client would have, the new request is answered 503.";
        REPO_MEMORY: u64 = "PDS_REPO_MEMORY",
            Computed("an eighth of the container's memory limit; 96 MiB without a memory limit"), codec::SIZE,
            "Maximum memory for the trees of repositories, which are kept for ten minutes after their last use. A record takes about 80 bytes.";
        IMPORT_MEMORY: u64 = "PDS_IMPORT_MEMORY",
            Computed("five sixteenths of the container's memory limit, at most 192 MiB; 192 MiB without a memory limit"), codec::SIZE,
            "Maximum memory for the trees of all repositories that are being imported and for the lists of their blocks. An import takes about 100 bytes for each record, more if the keys are long. An import that finds the memory in use by others is answered 503, one that needs more than all of it is refused.";
        EXPORT_SPOOL: u64 = "PDS_EXPORT_SPOOL", Value("1GiB"), codec::SIZE,
            "Maximum disk space for repository exports whose clients read slowly, in the directory for temporary files (`TMPDIR`). When it is used up, the export whose client reads the slowest is cut off.";
        MAX_SUBSCRIBERS: u32 = "PDS_MAX_SUBSCRIBERS", Value("1000"), codec::COUNT,
            "Maximum number of firehose subscribers of one replica, and never more than half of its connections. When it is reached, the client address with most subscribers loses its oldest one. If no address has more than the new client would have, the new subscriber is answered 503.";
        SUBSCRIBER_MEMORY: u64 = "PDS_SUBSCRIBER_MEMORY",
            Computed("a sixteenth of the container's memory limit, at most 64 MiB; 64 MiB without a memory limit"), codec::SIZE,
            "Maximum memory for all firehose subscribers that read past events. When it is used up, subscribers wait for each other.";
    }
    "Redis" {
        CACHE_ENABLED: bool = "CACHE_ENABLED", Computed("true if Redis is configured"), codec::BOOL,
            "Whether Redis is used. If false, `REDIS_URL` has no effect. What each replica caches in its own memory does not depend on it.";
        REDIS_URL: RedisUrl = "REDIS_URL", Computed("PDS_REDIS_SCRATCH_ADDRESS"), codec::REDIS_URL,
            "Redis or Valkey server that the replicas share for rate limits. No data is lost if it fails.";
        REDIS_SCRATCH_ADDRESS: String = "PDS_REDIS_SCRATCH_ADDRESS", Unset, codec::HOST_AND_PORT,
            "Address of the Redis server, without TLS. Name of the reference implementation. Ignored if `REDIS_URL` is set.";
        REDIS_SCRATCH_PASSWORD: SecretString = "PDS_REDIS_SCRATCH_PASSWORD", Unset, codec::REDIS_PASSWORD,
            "Password for `PDS_REDIS_SCRATCH_ADDRESS`.";
        REDIS_POOL_SIZE: u32 = "REDIS_POOL_SIZE", Value("50"), codec::COUNT,
            "Maximum number of connections of one replica to Redis. Commands are pipelined, so that one connection is enough as a rule; another one is opened when 32 commands wait for their answers on each.";
        CACHE_KEY_PREFIX: String = "CACHE_KEY_PREFIX", Value("aurora:"), codec::KEY_PREFIX,
            "Prefix of all keys in Redis. Each PDS that shares a Redis server with others needs its own prefix.";
    }
    "Sync" {
        REPO_BACKFILL_LIMIT_MS: Duration = "PDS_REPO_BACKFILL_LIMIT_MS", Value("1d"), codec::MILLISECONDS,
            "Age of the oldest event that a firehose subscriber can still request.";
        CRAWLERS: Vec<Url> = "PDS_CRAWLERS", Unset, codec::ORIGINS,
            "Relays that this server asks to crawl it, at its start and after writes.";
    }
    "Outbound" {
        OUTBOUND_ALLOW: Vec<AllowRule> = "PDS_OUTBOUND_ALLOW", Unset, codec::ALLOW_RULES,
            "Addresses and hosts that identity lookups may reach although they are not public.";
        CA_FILE: PathBuf = "PDS_CA_FILE", Unset, codec::PATH,
            "PEM file with certificates of additional authorities that all outgoing TLS connections trust: S3, PLC directory, identity lookups, Redis, SMTP servers, and PostgreSQL unless its URL has `sslrootcert`. Read once, at the start.";
        CA_SHA256: String = "PDS_CA_SHA256", Unset, codec::SHA256,
            "SHA-256 of the file `PDS_CA_FILE`. If the file has another SHA-256, the server does not start. This protects against changes to the file.";
    }
    "Other services" {
        BSKY_APP_VIEW_URL: Url = "PDS_BSKY_APP_VIEW_URL", Unset, codec::ORIGIN,
            "App view: the service that answers methods that this server does not know, unless the client names another one. Without it, clients must name one. It may be at any address.";
        BSKY_APP_VIEW_DID: Did = "PDS_BSKY_APP_VIEW_DID", Unset, codec::SERVICE_DID,
            "DID of the app view.";
        BSKY_APP_VIEW_CDN_URL_PATTERN: String = "PDS_BSKY_APP_VIEW_CDN_URL_PATTERN", Computed("getBlob of this server"), codec::IMAGE_PATTERN,
            "URLs of images in posts and profiles that the app view does not have yet and that this server adds to the app view's responses.";
        MOD_SERVICE_URL: Url = "PDS_MOD_SERVICE_URL", Unset, codec::ORIGIN,
            "Moderation service, to which the methods `tools.ozone.*` go. It may be at any address.";
        MOD_SERVICE_DID: Did = "PDS_MOD_SERVICE_DID", Unset, codec::SERVICE_DID,
            "DID of the moderation service.";
        REPORT_SERVICE_URL: Url = "PDS_REPORT_SERVICE_URL", Computed("PDS_MOD_SERVICE_URL"), codec::ORIGIN,
            "Service to which reports (`com.atproto.moderation.createReport`) go. It may be at any address.";
        REPORT_SERVICE_DID: Did = "PDS_REPORT_SERVICE_DID", Computed("PDS_MOD_SERVICE_DID"), codec::SERVICE_DID,
            "DID of the service for reports.";
        DISABLE_SSRF_PROTECTION: bool = "PDS_DISABLE_SSRF_PROTECTION", Computed("true in development mode, else false"), codec::BOOL,
            "Lets services that clients name with `atproto-proxy` be at private addresses and without TLS. Otherwise only https and public addresses are used, and those of `PDS_OUTBOUND_ALLOW`.";
        PROXY_ALLOW_HTTP2: bool = "PDS_PROXY_ALLOW_HTTP2", Value("false"), codec::BOOL,
            "Uses HTTP/2 to other services that offer it with TLS.";
        PROXY_HEADERS_TIMEOUT: Duration = "PDS_PROXY_HEADERS_TIMEOUT", Value("10s"), codec::MILLISECONDS,
            "Maximum time until another service begins to respond, from the end of the request. Afterwards the client is answered 504.";
        PROXY_BODY_TIMEOUT: Duration = "PDS_PROXY_BODY_TIMEOUT", Value("30s"), codec::MILLISECONDS,
            "Maximum time between two parts of another service's response. Afterwards the response is cut off.";
        PROXY_MAX_RESPONSE_SIZE: u64 = "PDS_PROXY_MAX_RESPONSE_SIZE", Value("10MiB"), codec::SIZE,
            "Maximum size of another service's response. A longer one is refused with 502, or cut off if its length was not known.";
        PROXY_MAX_RETRIES: u32 = "PDS_PROXY_MAX_RETRIES", Value("0"), codec::COUNT_FROM_ZERO,
            "How often a query is sent again to another service if the connection fails before a response. Procedures are never sent again.";
        PROXY_PREFER_COMPRESSED: bool = "PDS_PROXY_PREFER_COMPRESSED", Value("false"), codec::BOOL,
            "Requests compressed responses also where this server may have to change them. Saves bandwidth to the app view and costs processor time.";
        PROXY_MAX_CALLS: u32 = "PDS_PROXY_MAX_CALLS", Computed("a quarter of PDS_MAX_CONNECTIONS, between 16 and 1024"), codec::COUNT,
            "Maximum number of requests that are being passed on to other services at the same time. One account gets at most 32 of them, one configured service three quarters, one service that clients name a sixteenth, all of these together a quarter, of which one account gets a quarter. Requests beyond are answered 503.";
    }
    "Jobs" {
        JOB_LEASE: Duration = "PDS_JOB_LEASE", Value("60s"), codec::JOB_LEASE,
            "Time after which another replica runs a background job whose replica has died. A replica that cannot renew the lease of its job for half of this time stops the job. The clocks of replicas must not differ by more than half of it.";
        JOB_ACCOUNT_PURGE_INTERVAL: Duration = "PDS_JOB_ACCOUNT_PURGE_INTERVAL", Value("1h"), codec::JOB_INTERVAL,
            "Time between runs of the job `account_purge`: deletes deactivated accounts whose owners set a date for it, and removes the data of deleted accounts after `PDS_ACCOUNT_DELETE_GRACE_MS`.";
        JOB_BLOB_ORPHAN_SWEEP_INTERVAL: Duration = "PDS_JOB_BLOB_ORPHAN_SWEEP_INTERVAL", Value("1h"), codec::JOB_INTERVAL,
            "Time between runs of the job `blob_orphan_sweep`: deletes uploads that nothing refers to and the objects of deleted blobs.";
        JOB_BLOB_STORE_CHECK_INTERVAL: Duration = "PDS_JOB_BLOB_STORE_CHECK_INTERVAL", Value("15s"), codec::JOB_INTERVAL,
            "Time between runs of the job `blob_store_check`, on every replica: sets `aurora_blob_store_up`.";
        JOB_CACHE_CLEANUP_INTERVAL: Duration = "PDS_JOB_CACHE_CLEANUP_INTERVAL", Value("30m"), codec::JOB_INTERVAL,
            "Time between runs of the job `cache_cleanup`: forgets lexicons of other hosts that were not found for a day.";
        JOB_CRAWL_INTERVAL: Duration = "PDS_JOB_CRAWL_INTERVAL", Value("10s"), codec::JOB_INTERVAL,
            "Time between runs of the job `crawl`, on every replica: looks for new events and asks the relays in `PDS_CRAWLERS`, all replicas together at most every 20 minutes.";
        JOB_DATABASE_MAINTENANCE_INTERVAL: Duration = "PDS_JOB_DATABASE_MAINTENANCE_INTERVAL", Value("1d"), codec::JOB_INTERVAL,
            "Time between runs of the job `database_maintenance`, with SQLite: renews the statistics for queries and checkpoints the write-ahead log. PostgreSQL does this itself.";
        JOB_EVENT_RETENTION_INTERVAL: Duration = "PDS_JOB_EVENT_RETENTION_INTERVAL", Value("10m"), codec::JOB_INTERVAL,
            "Time between runs of the job `event_retention`: deletes events that are older than `PDS_REPO_BACKFILL_LIMIT_MS`.";
        JOB_EXPIRED_IMPORTS_INTERVAL: Duration = "PDS_JOB_EXPIRED_IMPORTS_INTERVAL", Value("5m"), codec::JOB_INTERVAL,
            "Time between runs of the job `expired_imports`: deletes what imports of repositories staged whose server has died.";
        JOB_HEALTH_CHECK_INTERVAL: Duration = "PDS_JOB_HEALTH_CHECK_INTERVAL", Value("5m"), codec::JOB_INTERVAL,
            "Time between runs of the job `health_check`: checks the database, the blob store, the SMTP servers and the PLC directory.";
        JOB_IDENTITY_CHANGES_INTERVAL: Duration = "PDS_JOB_IDENTITY_CHANGES_INTERVAL", Value("5m"), codec::JOB_INTERVAL,
            "Time between runs of the job `identity_changes`: ends changes of handles and signing keys that a crash interrupted, and announces submitted operations that it kept from being announced.";
        JOB_MAILS_INTERVAL: Duration = "PDS_JOB_MAILS_INTERVAL", Value("5s"), codec::JOB_INTERVAL,
            "Time between runs of the job `mails`, on every replica: sends mails that another replica left or that are to be tried again. A replica sends its own mails at once.";
        JOB_RESERVATIONS_INTERVAL: Duration = "PDS_JOB_RESERVATIONS_INTERVAL", Value("5m"), codec::JOB_INTERVAL,
            "Time between runs of the job `reservations`: gives back the handles of sign-ups that a crash interrupted.";
        JOB_SESSION_CLEANUP_INTERVAL: Duration = "PDS_JOB_SESSION_CLEANUP_INTERVAL", Value("1h"), codec::JOB_INTERVAL,
            "Time between runs of the job `session_cleanup`: deletes expired refresh tokens and e-mail codes.";
        JOB_SUSPENSION_CLEANUP_INTERVAL: Duration = "PDS_JOB_SUSPENSION_CLEANUP_INTERVAL", Value("1m"), codec::JOB_INTERVAL,
            "Time between runs of the job `suspension_cleanup`: announces the ends of suspensions to relays. Readers on this server see an end at its time.";
    }
    "Logs" {
        LOG_FORMAT: LogFormat = "PDS_LOG_FORMAT", Value("json"), codec::LOG_FORMAT,
            "`json`: one JSON object per line. `text`: text for a terminal.";
        LOG_SAMPLE: LogSample = "PDS_LOG_SAMPLE", Unset, codec::LOG_SAMPLE,
            "Which of the lines about successful reads (GET) are logged. A number: one in so many of each route. A method of this server and a fraction: about this part of the lines of the method. Both may be combined. Each logged line has in `stands_for` the number of requests that it stands for. Errors and procedures are always logged.";
        RUST_LOG: String = "RUST_LOG", Computed("LOG_LEVEL"), codec::FILTER,
            "Log level, or a list of log levels by module.";
        LOG_LEVEL: LogLevel = "LOG_LEVEL", Value("info"), codec::LOG_LEVEL,
            "Log level, in the words of the reference implementation. If `RUST_LOG` is set, `RUST_LOG` counts.";
        LOG_ENABLED: bool = "LOG_ENABLED", Value("true"), codec::LOG_ENABLED,
            "If false, nothing is logged. Name of the reference implementation, whose default is false. If `RUST_LOG` is set, `RUST_LOG` counts.";
    }
    "Traces" {
        OTEL_EXPORTER_OTLP_ENDPOINT: Url = "OTEL_EXPORTER_OTLP_ENDPOINT", Unset, codec::BASE_URL,
            "OpenTelemetry collector to which traces are sent, as protobuf over HTTP, to `/v1/traces` below this URL. Not set: no traces are made. Spans contain names of methods, statements and operations, never identifiers of accounts, addresses or values.";
        OTEL_EXPORTER_OTLP_PROTOCOL: OtlpProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL", Value("http/protobuf"), codec::OTLP_PROTOCOL,
            "Protocol of the collector. Other protocols are refused.";
        OTEL_EXPORTER_OTLP_HEADERS: SecretString = "OTEL_EXPORTER_OTLP_HEADERS", Unset, codec::OTLP_HEADERS,
            "Headers of the requests to the collector, for example `authorization=Bearer%20TOKEN`.";
        OTEL_SERVICE_NAME: String = "OTEL_SERVICE_NAME", Value("pds"), codec::SERVICE_NAME,
            "Name of this server in traces.";
        OTEL_TRACES_SAMPLER: SamplerKind = "OTEL_TRACES_SAMPLER", Value("parentbased_always_on"), codec::SAMPLER,
            "Which requests are traced. With `parentbased_...`, the header `traceparent` of a proxy in `PDS_TRUSTED_PROXIES` decides; without it, what follows does. `traceidratio`: the part of the requests that `OTEL_TRACES_SAMPLER_ARG` says.";
        OTEL_TRACES_SAMPLER_ARG: u32 = "OTEL_TRACES_SAMPLER_ARG", Value("1"), codec::MILLIONTHS,
            "Part of the requests that `traceidratio` and `parentbased_traceidratio` trace.";
    }
    "Secrets" {
        JWT_SECRET: SecretString = "PDS_JWT_SECRET", Required, codec::JWT_SECRET,
            "Signs session tokens. A new value ends all sessions.";
        ADMIN_PASSWORD: SecretString = "PDS_ADMIN_PASSWORD", Required, codec::ADMIN_PASSWORD,
            "Password of the user `admin` for the methods `com.atproto.admin.*` and other methods of administrators.";
        PLC_ROTATION_KEY: SecretString = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", Computed("required unless the key is in AWS KMS"), codec::K256_KEY,
            "Signs the operations on the `did:plc` of every account. Back it up: if it is lost, no account can change its handle or move to another server.";
        PLC_ROTATION_KEY_KMS_KEY_ID: KmsKeyId = "PDS_PLC_ROTATION_KEY_KMS_KEY_ID", Unset, codec::KMS_KEY,
            "Key in AWS KMS that signs the operations on the `did:plc` of every account, instead of a private key in the settings: an asymmetric key with the specification `ECC_SECG_P256K1` for `SIGN_VERIFY`. The server needs `kms:GetPublicKey` and `kms:Sign`. Credentials come from the environment as for every program with an AWS SDK, and so do `AWS_REGION`, unless this is an ARN, and `AWS_ENDPOINT_URL_KMS`. A host that has accounts keeps the key, and its name in one form.";
        KEY_ENCRYPTION_KEY: SecretString = "PDS_KEY_ENCRYPTION_KEY", Required, codec::SEAL_KEY,
            "Encrypts the signing keys of the accounts in the database, and mails that wait to be sent. Back it up: if it is lost, no account can write.";
    }
}
