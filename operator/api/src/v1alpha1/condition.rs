//! The types of conditions that an instance has.

use std::fmt;

/// The type of a condition of a `PdsInstance`. `Ready`, `Reconciling` and `Stalled` summarize the others, with the meaning that
/// kstatus gives them: `Reconciling` and `Stalled` are absent-or-false when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The class exists, takes instances of this namespace, and allows what the spec asks for.
    ClassAccepted,
    /// The instance holds its hostname; no other instance of the cluster has it.
    HostnameClaimed,
    /// The Secret with the keys is there and holds the keys that the data belongs to.
    KeysReady,
    /// The database accepts connections, or the Secret with its URL is valid.
    DatabaseReady,
    /// The bucket exists, belongs to this instance, and the S3 service answers.
    BlobStoreReady,
    /// The certificate of `spec.tls` is valid and matches its key.
    CertificateReady,
    /// The Secrets of `spec.email` and `spec.cache` are there and hold URLs.
    SecretsReady,
    /// The database has the schema of the image.
    SchemaMigrated,
    /// At least one pod serves, and no pod is stuck.
    WorkloadAvailable,
    /// The instance serves, and every condition above is true.
    Ready,
    /// The operator still has something to do.
    Reconciling,
    /// The operator can only go on after a person changed something.
    Stalled,
}

impl ConditionType {
    /// The conditions that describe one part each, in the order in which parts come to be.
    pub const PARTS: [Self; 9] = [
        Self::ClassAccepted,
        Self::HostnameClaimed,
        Self::KeysReady,
        Self::DatabaseReady,
        Self::BlobStoreReady,
        Self::CertificateReady,
        Self::SecretsReady,
        Self::SchemaMigrated,
        Self::WorkloadAvailable,
    ];

    /// The text in `status.conditions[].type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClassAccepted => "ClassAccepted",
            Self::HostnameClaimed => "HostnameClaimed",
            Self::KeysReady => "KeysReady",
            Self::DatabaseReady => "DatabaseReady",
            Self::BlobStoreReady => "BlobStoreReady",
            Self::CertificateReady => "CertificateReady",
            Self::SecretsReady => "SecretsReady",
            Self::SchemaMigrated => "SchemaMigrated",
            Self::WorkloadAvailable => "WorkloadAvailable",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
