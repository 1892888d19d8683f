//! Why a condition is what it is; also the reasons of Events.

/// Why a condition is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are what people read")]
pub enum Reason {
    AsExpected,
    Progressing,
    WaitingForDatabase,
    WaitingForBucket,
    WaitingForJob,
    WaitingForKeys,
    InvalidSpec,
    QuotaExceeded,
    ClassNotFound,
    KeySecretMissing,
    CredentialsInvalid,
    BucketNotOwned,
    MigrationFailed,
    ReconcileFailed,
    CleanupFailed,
    Paused,
}

impl Reason {
    /// As it stands in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsExpected => "AsExpected",
            Self::Progressing => "Progressing",
            Self::WaitingForDatabase => "WaitingForDatabase",
            Self::WaitingForBucket => "WaitingForBucket",
            Self::WaitingForJob => "WaitingForJob",
            Self::WaitingForKeys => "WaitingForKeys",
            Self::InvalidSpec => "InvalidSpec",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::ClassNotFound => "ClassNotFound",
            Self::KeySecretMissing => "KeySecretMissing",
            Self::CredentialsInvalid => "CredentialsInvalid",
            Self::BucketNotOwned => "BucketNotOwned",
            Self::MigrationFailed => "MigrationFailed",
            Self::ReconcileFailed => "ReconcileFailed",
            Self::CleanupFailed => "CleanupFailed",
            Self::Paused => "Paused",
        }
    }

    /// Whether only a person can go on from here.
    #[must_use]
    pub fn is_stalled(self) -> bool {
        matches!(
            self,
            Self::InvalidSpec
                | Self::QuotaExceeded
                | Self::ClassNotFound
                | Self::KeySecretMissing
                | Self::CredentialsInvalid
                | Self::BucketNotOwned
                | Self::MigrationFailed
        )
    }
}
