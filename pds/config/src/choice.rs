//! Settings whose value is one of a few words.

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for a terminal.
    Text,
}

/// The value of `LOG_LEVEL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Also for `fatal`: nothing here is worse than an error.
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    /// Nothing.
    Silent,
}

impl LogLevel {
    /// The same in the words of `RUST_LOG`.
    #[must_use]
    pub fn filter(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::Silent => "off",
        }
    }
}

/// The value of `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    HttpProtobuf,
}

/// The value of `OTEL_TRACES_SAMPLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplerKind {
    /// What a trusted proxy says counts.
    pub follows_parent: bool,
    pub rule: SamplerRule,
}

/// Which requests are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SamplerRule {
    All,
    None,
    /// The part of `OTEL_TRACES_SAMPLER_ARG`.
    Ratio,
}

/// The value of `DATABASE_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseType {
    Sqlite,
    Postgres,
}

/// The value of `PDS_BLOBSTORE_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobStoreType {
    Disk,
    S3,
}

/// The value of `PDS_BLOB_REDIRECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// `off`
    Off,
    /// `presigned`
    Presigned,
    /// `cdn`
    Cdn,
}

/// Whether S3 requests and responses carry a checksum, in the words of the AWS SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Checksum {
    /// On every request.
    WhenSupported,
    /// Only on requests for which the protocol requires one.
    WhenRequired,
}

/// Something that accounts may do only after they have confirmed their e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedsEmail {
    /// Create and change records.
    Post,
    Upload,
    /// Have invite codes.
    Invite,
}

impl NeedsEmail {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Post, Self::Upload, Self::Invite];

    /// The word in `PDS_REQUIRE_CONFIRMED_EMAIL`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Upload => "upload",
            Self::Invite => "invite",
        }
    }
}
