//! Where the keys are that the data of a PDS depends on.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rule;

/// Where the keys are that the data depends on. Those about which nothing is said are made once and kept in the Secret `NAME-keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// The PLC rotation key in AWS KMS, where the class allows it; if absent, it is in the Secret `NAME-keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsKey>,
}

/// A key in AWS KMS that signs the operations on the `did:plc` of every account. The policy of the key has to allow `kms:GetPublicKey` and
/// `kms:Sign` to the role of the pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::rule(
    "self.keyId.startsWith('arn:') || has(self.region)",
    "'spec.keys.kms.region: absent; needed unless keyId is an ARN'",
))]
pub struct KmsKey {
    /// The ID of an asymmetric key with the specification `ECC_SECG_P256K1`, an alias (`alias/NAME`), or the ARN of either. Immutable.
    #[schemars(length(min = 7, max = 400), pattern("^[a-zA-Z0-9:/_-]+$"))]
    pub key_id: String,
    /// The region of the key; that of the ARN if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), pattern("^[a-z0-9-]+$"))]
    pub region: Option<String>,
    /// URL of KMS; Amazon's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.keys.kms.endpoint"))]
    pub endpoint: Option<String>,
    /// The IAM role of the pods, unless the class gives them one. Its trust policy has to name their service account, `NAME-pds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 2048), pattern("^arn:[a-zA-Z0-9:/_+=,.@-]+$"))]
    pub role_arn: Option<String>,
}
