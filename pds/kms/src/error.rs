//! Why a key in KMS cannot be used.

use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Codes of answers that stay the same until a person has changed the key, its policy or the setting.
const FINAL: [&str; 6] = [
    "AccessDeniedException",
    "DisabledException",
    "InvalidArnException",
    "InvalidKeyUsageException",
    "NotFoundException",
    "UnsupportedOperationException",
];

/// Why a key in KMS cannot be used. Names the key; the setting has its name too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// KMS has answered with an error.
    #[error("AWS KMS refused {operation} of the key {key}: {code}: {message}")]
    Refused {
        /// Of the API of KMS.
        operation: &'static str,
        /// As the setting or KMS names it.
        key: String,
        /// Of the API of KMS.
        code: String,
        /// The words of KMS.
        message: String,
    },
    /// KMS was not reached, or there are no credentials for it.
    #[error("AWS KMS could not be asked for {operation} of the key {key}: {reason}")]
    Unreachable {
        /// Of the API of KMS.
        operation: &'static str,
        /// As the setting or KMS names it.
        key: String,
        /// What the SDK says.
        reason: String,
    },
    /// KMS has not answered in time.
    #[error("AWS KMS did not answer {operation} of the key {key} within {seconds} s")]
    TimedOut {
        /// Of the API of KMS.
        operation: &'static str,
        /// As the setting or KMS names it.
        key: String,
        /// The time limit.
        seconds: u64,
    },
    /// Identities can only be signed with keys of one kind.
    #[error(
        "the key {key} in AWS KMS is {found}; allowed: an asymmetric key with the specification ECC_SECG_P256K1 for SIGN_VERIFY"
    )]
    WrongKind {
        /// As the setting names it.
        key: String,
        /// What KMS says of it.
        found: String,
    },
    /// The signature does not verify.
    #[error("AWS KMS gave no valid signature of the key {key}: the signature is not one of the public key {did_key}")]
    Signature {
        /// As KMS names it.
        key: String,
        /// The public key that KMS has given at the start.
        did_key: String,
    },
}

impl Error {
    /// Whether the same call fails again until a person has changed something.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => FINAL.contains(&code.as_str()),
            Self::WrongKind { .. } => true,
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Signature { .. } => false,
        }
    }

    /// For `map_err`.
    pub(crate) fn of<E>(operation: &'static str, key: &str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let key = key.to_owned();
        move |error| match &error {
            SdkError::ServiceError(_) => Self::Refused {
                operation,
                key,
                code: error.code().unwrap_or("no code").to_owned(),
                message: error.message().unwrap_or("no message").to_owned(),
            },
            error => Self::Unreachable { operation, key, reason: DisplayErrorContext(error).to_string() },
        }
    }
}
