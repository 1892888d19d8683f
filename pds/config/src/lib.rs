//! The settings of the PDS.
//!
//! The server reads them from its environment. The operator builds the same [`Settings`] and renders them into a ConfigMap. The configuration
//! reference is generated from [`VARIABLES`]. Each variable is declared once, in `table.rs`: name, type, default, allowed values, help text.
//!
//! Secrets are separate, in [`Secrets`], and never appear in `Debug`, `Display` or an error. This crate reads the files that `NAME_FILE`
//! variables name and, with the secrets, the certificates of `PDS_CA_FILE`. It has no other input or output: no network, no clock, no writing.

mod ca_bundle;
mod choice;
mod codec;
mod database_url;
mod error;
mod fingerprint;
mod kms_key_id;
mod log_sample;
mod network;
mod otlp_headers;
mod percent;
mod reader;
mod record_rule;
mod redis_url;
mod reference;
mod rendered;
pub mod secrets;
mod settings;
mod smtp_url;
mod synonym;
mod table;
mod unknown;
mod variable;

pub use ca_bundle::CaBundle;
pub use choice::{
    BlobStoreType, DatabaseType, LogFormat, LogLevel, NeedsEmail, OtlpProtocol, RedirectKind, S3Checksum, SamplerKind,
    SamplerRule,
};
pub use codec::size;
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use error::{Errors, Problem};
pub use fingerprint::{Fingerprint, InvalidFingerprint, InvalidKey, fingerprint, fingerprint_with_kms};
pub use kms_key_id::{InvalidKmsKeyId, KmsKeyId};
pub use log_sample::LogSample;
pub use network::{AllowRule, Cidr};
pub use record_rule::is_collection_rule;
pub use redis_url::RedisUrl;
pub use reference::{REFERENCE, ReferenceSetting, Verdict, ignored_names};
pub use secrets::{DataKeys, RotationKey, S3Credentials, Secrets};
pub use settings::{
    Blob, BlobStore, Contact, Database, DiskStore, Identity, Import, Invites, Jobs, Limits, Log, Mail, Migration,
    Outbound, Proxying, Rate, RateLimits, Records, Redirect, RemoteService, S3Store, Service, Services, Settings, Sync,
    Tls, Traces,
};
pub use smtp_url::{SmtpCredentials, SmtpTls, SmtpUrl};
pub use synonym::{Overruled, overruled};
pub use table::{VARIABLES, check, var};
pub use unknown::{Unknown, unknown_names};
pub use variable::{Fallback, Variable};

#[cfg(test)]
mod tests;
