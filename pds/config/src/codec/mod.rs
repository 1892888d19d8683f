//! Conversion between the text of a variable and its value.
//!
//! A codec does not know where the text comes from. Its error must not repeat the text: the reader adds it, unless it is a secret.

mod blob;
mod mail;
mod plain;
mod secret;
mod trace;
mod unit;
mod web;

pub(crate) use blob::{BLOBSTORE_TYPE, CDN_PATTERN, REDIRECT, S3_CHECKSUM};
pub(crate) use mail::{LANGUAGE, MAILBOX, NEEDS_EMAIL, SMTP_URL};
pub(crate) use plain::{
    BOOL, COUNT, COUNT_FROM_ZERO, DATABASE_TYPE, FILTER, KEY_PREFIX, KMS_KEY, LOG_ENABLED, LOG_FORMAT, LOG_LEVEL,
    LOG_SAMPLE, NAME, PATH, PORT, SHA256,
};
pub(crate) use secret::{
    ACCESS_KEY, ADMIN_PASSWORD, BYPASS_KEY, DATABASE_URL, JWT_SECRET, K256_KEY, REDIS_PASSWORD, REDIS_URL, SEAL_KEY,
};
pub(crate) use trace::{MILLIONTHS, OTLP_HEADERS, OTLP_PROTOCOL, SAMPLER, SERVICE_NAME};
pub use unit::size;
pub(crate) use unit::{JOB_INTERVAL, JOB_LEASE, MILLISECONDS, SECONDS, SIZE};
pub(crate) use web::{
    ALLOW_RULES, BASE_URL, BUCKET, CIDRS, DID_KEY, EMAIL, HANDLE_DOMAINS, HOST_AND_PORT, HOSTNAME, IMAGE_PATTERN,
    NAME_SERVERS, ORIGIN, ORIGINS, SERVICE_DID, URL,
};

/// Parses and renders values of type `T`.
pub(crate) struct Codec<T: 'static> {
    /// The allowed values, in words.
    pub(crate) allowed: &'static str,
    pub(crate) secret: bool,
    pub(crate) parse: fn(&str) -> Result<T, String>,
    pub(crate) render: fn(&T) -> String,
}

impl<T> Codec<T> {
    const fn new(allowed: &'static str, parse: fn(&str) -> Result<T, String>, render: fn(&T) -> String) -> Self {
        Self { allowed, secret: false, parse, render }
    }
}

/// Parses a list separated by commas. Skips empty items and spaces around items. The error names the first item that is wrong.
fn parse_list<T, E: ToString>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Vec<T>, String> {
    let item = |item: &str| parse(item).map_err(|reason| format!("{item:?} {}", reason.to_string()));
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(item).collect()
}

fn render_list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
