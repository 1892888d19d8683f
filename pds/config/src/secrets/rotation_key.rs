//! Where the PLC rotation key is.

use secrecy::SecretString;

use crate::kms_key_id::KmsKeyId;
use crate::reader::Reader;
use crate::table::setting;

/// The key that signs PLC operations.
#[derive(Debug, Clone)]
pub enum RotationKey {
    /// A secp256k1 private key as 64 lower-case hex digits.
    Local(SecretString),
    /// A key in AWS KMS.
    Kms(KmsKeyId),
}

impl RotationKey {
    /// True if one of the two settings is set, even to a wrong value.
    pub(super) fn is_set(reader: &Reader<'_>) -> bool {
        reader.is_set(&setting::PLC_ROTATION_KEY) || reader.is_set(&setting::PLC_ROTATION_KEY_KMS_KEY_ID)
    }

    /// The one of the two settings that is set. `kms` is the value of the second if it is not wrong. `None` if none is set, both are, or one is wrong.
    pub(super) fn read(reader: &mut Reader<'_>, kms: Option<&KmsKeyId>) -> Option<Self> {
        let (local, in_kms) = (&setting::PLC_ROTATION_KEY, &setting::PLC_ROTATION_KEY_KMS_KEY_ID);
        let key = reader.optional(local);
        match (reader.is_set(local), reader.is_set(in_kms)) {
            (true, true) => {
                let message = format!(
                    "is set together with {}, in the environment or in secrets.env of the data directory; allowed: one of them, because the identities of the accounts name one key",
                    local.variable.name
                );
                reader.refuse(in_kms, kms.map(ToString::to_string), message);
                None
            }
            (false, false) => {
                let (allowed, other) = (local.variable.allowed, in_kms.variable.name);
                reader.refuse(local, None, format!("is not set; allowed: {allowed}, or {other} in its place"));
                None
            }
            (true, false) => key.map(Self::Local),
            (false, true) => kms.cloned().map(Self::Kms),
        }
    }
}
