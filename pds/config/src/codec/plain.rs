//! Booleans, numbers, words and paths.

use std::path::PathBuf;

use super::Codec;
use crate::choice::{DatabaseType, LogFormat, LogLevel};
use crate::kms_key_id::{InvalidKmsKeyId, KmsKeyId};
use crate::log_sample::LogSample;

pub(crate) const BOOL: Codec<bool> = Codec::new(
    "true or 1, false or 0",
    |text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("is not a boolean".into()),
    },
    bool::to_string,
);

pub(crate) const PORT: Codec<u16> = Codec::new(
    "0 to 65535; 0 means any free port",
    |text| {
        text.parse().map_err(|_| match text.starts_with("tcp://") {
            // Kubernetes sets PDS_PORT in every pod of a namespace that has a Service called `pds`.
            true => "looks like a Kubernetes service link: set enableServiceLinks to false in the pod".into(),
            false => "is not a port".into(),
        })
    },
    u16::to_string,
);

pub(crate) const COUNT: Codec<u32> = Codec::new(
    "a whole number, at least 1",
    |text| text.parse().ok().filter(|count| *count > 0).ok_or("is not a whole number in this range".into()),
    u32::to_string,
);

pub(crate) const COUNT_FROM_ZERO: Codec<u32> = Codec::new(
    "a whole number, 0 or more",
    |text| text.parse().map_err(|_| "is not a whole number in this range".into()),
    u32::to_string,
);

pub(crate) const NAME: Codec<String> = Codec::new(
    "letters, digits and hyphens",
    |text| match text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        true => Ok(text.to_owned()),
        false => Err("contains another character".into()),
    },
    String::clone,
);

pub(crate) const SHA256: Codec<String> = Codec::new(
    "64 lower-case hex digits",
    |text| {
        let fit = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fit { Ok(text.to_owned()) } else { Err("is not a SHA-256 in hexadecimal".into()) }
    },
    Clone::clone,
);

pub(crate) const KMS_KEY: Codec<KmsKeyId> = Codec::new(
    "the ID of a key, alias/NAME, or the ARN of either",
    |text| text.parse().map_err(|error: InvalidKmsKeyId| error.to_string()),
    KmsKeyId::to_string,
);

pub(crate) const KEY_PREFIX: Codec<String> = Codec::new(
    "1 to 64 letters, digits and -_.:",
    |text| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        match text.len() <= 64 && text.bytes().all(legal) {
            true => Ok(text.to_owned()),
            // Braces are hash tags: the keys of one call would be on different nodes of a Redis Cluster.
            false => Err("is longer, or contains another character".into()),
        }
    },
    String::clone,
);

pub(crate) const PATH: Codec<PathBuf> =
    Codec::new("a path", |text| Ok(PathBuf::from(text)), |path| path.display().to_string());

pub(crate) const LOG_FORMAT: Codec<LogFormat> = Codec::new(
    "json or text",
    |text| match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err("is not a log format".into()),
    },
    |format| match format {
        LogFormat::Json => "json".into(),
        LogFormat::Text => "text".into(),
    },
);

pub(crate) const LOG_SAMPLE: Codec<LogSample> = Codec::new(
    "a whole number from 1, methods with a fraction each, or both: 100,sync.getBlob=0.01,app.bsky.actor.getProfile=0.1",
    str::parse,
    LogSample::to_string,
);

pub(crate) const LOG_LEVEL: Codec<LogLevel> = Codec::new(
    "fatal, error, warn, info, debug, trace or silent",
    |text| match text.to_ascii_lowercase().as_str() {
        "fatal" | "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        "silent" => Ok(LogLevel::Silent),
        _ => Err("is not a log level".into()),
    },
    |level| match level {
        LogLevel::Silent => "silent".into(),
        level => level.filter().into(),
    },
);

/// The reference implementation takes `t` too, in upper and lower case.
pub(crate) const LOG_ENABLED: Codec<bool> = Codec::new(
    "true, t or 1, false, f or 0",
    |text| match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err("is not a boolean".into()),
    },
    bool::to_string,
);

pub(crate) const DATABASE_TYPE: Codec<DatabaseType> = Codec::new(
    "sqlite or postgres",
    |text| match text {
        "sqlite" => Ok(DatabaseType::Sqlite),
        "postgres" => Ok(DatabaseType::Postgres),
        _ => Err("is not a kind of database".into()),
    },
    |kind| match kind {
        DatabaseType::Sqlite => "sqlite".into(),
        DatabaseType::Postgres => "postgres".into(),
    },
);

/// Not checked here: the logger parses the filter when it is built.
pub(crate) const FILTER: Codec<String> = Codec::new(
    "error, warn, info, debug, trace, off, or directives like info,pds_server=debug",
    |text| Ok(text.to_owned()),
    String::clone,
);
