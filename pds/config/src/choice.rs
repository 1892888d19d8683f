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
