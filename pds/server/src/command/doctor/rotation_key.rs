//! The PLC rotation key: whether it signs.

use pds_config::{CaBundle, RotationKey, Secrets, var};
use pds_crypto::SigningKey;
use pds_identity::plc::RotationKey as _;
use secrecy::ExposeSecret;

use super::finding::Finding;
use crate::{outside::kms_key, report::chain};

const NAME: &str = "PLC rotation key";
/// What the key signs for a look: no operation.
const TEXT: &[u8] = b"pds doctor";

pub(super) async fn check(secrets: &Secrets) -> Vec<Finding> {
    vec![match &secrets.plc_rotation_key {
        RotationKey::Local(key) => match SigningKey::from_hex(key.expose_secret()) {
            Ok(key) => Finding::ok(NAME, format!("{}, from the settings", key.did_key())),
            Err(error) => Finding::fail(NAME, error.to_string(), format!("Correct {}.", var::PLC_ROTATION_KEY)),
        },
        RotationKey::Kms(id) => match signs(id, secrets.ca_bundle.as_ref()).await {
            Ok(did_key) => Finding::ok(NAME, format!("{did_key}: AWS KMS signs with the key {id}")),
            Err(error) => Finding::fail(
                NAME,
                chain(&error),
                "Check the name of the key, AWS_REGION, the credentials, and that they may call kms:GetPublicKey and kms:Sign: without the key no account can be made, moved or renamed.",
            ),
        },
    }]
}

/// The public key, once the key has signed.
async fn signs(id: &pds_config::KmsKeyId, ca_bundle: Option<&CaBundle>) -> Result<String, pds_kms::Error> {
    let key = kms_key(id, ca_bundle).await?;
    key.signature(TEXT).await?;
    Ok(key.did_key())
}
