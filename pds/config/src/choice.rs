//! Settings whose value is one of a few words.

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for a terminal.
    Text,
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
