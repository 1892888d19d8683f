//! The keys: made once, kept in a Secret, and recognised by their fingerprint.
//!
//! Data depends on two of them, the PLC rotation key and the key encryption key. The other two, the JWT secret and the administrator's
//! password, may be changed in the Secret at any time. If the PLC rotation key is in AWS KMS, the Secret holds its name, which is kept like a key.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::EnvVar;
use kube::api::ObjectMeta;
use operator_api::{ConditionType, KmsKey, Reason};
use operator_runtime::hash;
use operator_runtime::ownership::{Belongs, Lifetime};
use operator_runtime::secret::Content;
use pds_config::KmsKeyId;

use super::super::observed::Observed;
use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::Wanted;
use super::part::{Component, Part, Scene};
use super::pod;

/// Keys in the data of `NAME-keys`. All must be present, but one of [`ROTATION`] and [`KMS`].
pub const KEYS: [&str; 5] = ["jwtSecret", "adminPassword", ROTATION, KMS, "keyEncryptionKey"];
/// The PLC rotation key.
const ROTATION: &str = "plcRotationKey";
/// The name of the PLC rotation key in AWS KMS.
const KMS: &str = "plcRotationKmsKeyId";
/// Annotation of the Secret: the fingerprint of its keys when data first came to depend on them.
pub const FINGERPRINT: &str = "auroralocus.dev/fingerprint";
/// Annotation of the Secret: the major version of PostgreSQL that made the data directory.
pub const POSTGRES_MAJOR: &str = "auroralocus.dev/postgres-major";
/// Annotation of the Secret: the bucket in use.
pub const BUCKET: &str = "auroralocus.dev/bucket";

/// The annotations of `NAME-keys` that are read.
pub const ANNOTATIONS: [&str; 3] = [FINGERPRINT, POSTGRES_MAJOR, BUCKET];

/// Name of the Secret that holds the keys of an instance.
#[must_use]
pub fn secret_name(instance: &str) -> String {
    format!("{instance}-keys")
}

/// The fingerprint of the keys in a Secret.
///
/// # Errors
/// Which key is missing or malformed.
pub fn fingerprint(content: &Content) -> Result<String, String> {
    let text = |key: &str| content.text(key).filter(|text| !text.is_empty());
    let given = |key: &str| text(key).ok_or(format!("has no key {key}"));
    for key in KEYS.into_iter().filter(|key| ![ROTATION, KMS].contains(key)) {
        given(key)?;
    }
    let seal = given("keyEncryptionKey")?;
    let found = match text(KMS) {
        None => pds_config::fingerprint(given(ROTATION)?, seal),
        Some(_) if text(ROTATION).is_some() => {
            return Err(format!("has both {ROTATION} and {KMS}; keep the one of the data"));
        }
        Some(id) => {
            let id: KmsKeyId = id.parse().map_err(|error| format!("has a key {KMS} that {error}"))?;
            pds_config::fingerprint_with_kms(&id, seal)
        }
    };
    found.map(|found| found.to_string()).map_err(|error| error.to_string())
}

/// Hash over the values of all Secrets that pods read at their start. Nobody can test guesses of a password against the hash,
/// because random keys are part of the input.
#[must_use]
pub fn version(scene: &Scene<'_>) -> String {
    let observed = scene.observed;
    let values = |content: &Option<std::sync::Arc<Content>>| content.as_ref().map(|content| content.values.clone());
    let database = observed.references.database.as_ref().map(|content| content.values.clone());
    let own = (
        values(&observed.keys),
        values(&observed.postgres_secret),
        values(&observed.s3_secret),
        values(&observed.given),
        database,
    );
    let services = &observed.references.services;
    if services.is_empty() {
        return hash::of(&own, 16);
    }
    let services: BTreeMap<_, _> = services.iter().map(|(field, content)| (*field, content.values.clone())).collect();
    hash::of(&(own, services), 16)
}

/// The variables with the two keys that data depends on.
pub(super) fn env(wanted: &Wanted) -> Vec<EnvVar> {
    let secret = secret_name(&wanted.instance);
    let rotation = match wanted.kms {
        None => ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", ROTATION),
        Some(_) => ("PDS_PLC_ROTATION_KEY_KMS_KEY_ID", KMS),
    };
    [rotation, ("PDS_KEY_ENCRYPTION_KEY", "keyEncryptionKey")]
        .map(|(variable, key)| pod::secret_env(variable, &secret, key))
        .into()
}

/// Where AWS KMS is, for the SDK in the server.
pub(super) fn kms_env(wanted: &Wanted) -> impl Iterator<Item = EnvVar> {
    let kms = wanted.kms.as_ref();
    let region = kms.and_then(|kms| kms.region.as_deref()).map(|region| pod::env("AWS_REGION", region));
    let endpoint = kms.and_then(|kms| kms.endpoint.as_deref()).map(|url| pod::env("AWS_ENDPOINT_URL_KMS", url));
    region.into_iter().chain(endpoint)
}

/// Fingerprint of the keys in the Secret that was observed. `None` if there is no Secret or a key is missing or malformed.
#[must_use]
pub fn seen(observed: &Observed) -> Option<String> {
    fingerprint(observed.keys.as_deref()?).ok()
}

/// New keys, for the data of the Secret, with the name of the PLC rotation key if that is in AWS KMS.
#[must_use]
pub fn generate(kms: Option<&KmsKey>) -> BTreeMap<&'static str, String> {
    let rotation = kms.map_or_else(|| (ROTATION, rotation_key()), |kms| (KMS, kms.key_id.clone()));
    BTreeMap::from([
        ("jwtSecret", random_hex::<32>()),
        ("adminPassword", random_hex::<16>()),
        rotation,
        ("keyEncryptionKey", random_hex::<32>()),
    ])
}

/// What is wrong with the place of the PLC rotation key: the spec and the Secret tell two.
fn misplaced(content: &Content, wanted: &Wanted) -> Option<String> {
    let kept = content.text(KMS).filter(|id| !id.is_empty());
    let asked = wanted.kms.as_ref().map(|kms| kms.key_id.as_str());
    let place = |key: Option<&str>| key.map_or_else(|| "in the Secret".to_owned(), |key| format!("{key:?} in AWS KMS"));
    (kept != asked).then(|| {
        let (kept, asked) = (place(kept), place(asked));
        format!("holds the PLC rotation key of the data: {kept}; spec.keys.kms says {asked}; say the same there")
    })
}

/// Random bytes in hexadecimal.
#[must_use]
pub fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    rand::fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

/// A private key of secp256k1: 32 bytes, not zero, below the order of the group.
fn rotation_key() -> String {
    loop {
        let mut bytes = [0u8; 32];
        rand::fill(&mut bytes);
        // The order begins with 31 one bits and more; a first word below that is below the order.
        if bytes[..4] != [0xff; 4] && bytes != [0; 32] {
            return HEXLOWER.encode(&bytes);
        }
    }
}

/// Makes the Secret `NAME-keys` once, compares its fingerprint with that of the data, and sets `KeysReady`. Never changes a key.
pub struct Keys;

impl Component for Keys {
    fn name(&self) -> &'static str {
        "keys"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::KeysReady
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let name = secret_name(&scene.wanted.instance);
        if scene.obstacle(&[ConditionType::HostnameClaimed]).is_some() && scene.observed.keys.is_none() {
            return Part::new(Verdict::bad(Reason::Progressing, "no keys are made before the hostname is claimed"));
        }
        let known = scene.pds.status.as_ref().and_then(|status| status.keys.as_ref()?.fingerprint.clone());
        let Some(content) = &scene.observed.keys else {
            if known.is_some() || scene.observed.volume.is_some() {
                let message = format!("Secret {name} is gone, and data exists that needs its keys; restore the Secret");
                return Part::new(Verdict::bad(Reason::KeySecretMissing, message));
            }
            let verdict = Verdict::bad(Reason::Progressing, format!("Secret {name} is being made"));
            return Part::new(verdict).with_step(Step::CreateKeys);
        };
        let found = match fingerprint(content) {
            Ok(found) => found,
            Err(why) => return Part::new(Verdict::bad(Reason::KeySecretMissing, format!("Secret {name} {why}"))),
        };
        if let Some(why) = misplaced(content, scene.wanted) {
            return Part::new(Verdict::bad(Reason::KeysMismatch, format!("Secret {name} {why}")));
        }
        let noted = annotation(&content.metadata, FINGERPRINT);
        if let Some(other) = known.as_deref().into_iter().chain(noted).find(|other| *other != found) {
            let message = format!(
                "Secret {name} holds keys with the fingerprint {found}, and the data belongs to keys with the fingerprint \
                 {other}; restore the Secret with those"
            );
            return Part::new(Verdict::bad(Reason::KeysMismatch, message));
        }
        let mut part = Part::new(Verdict::good(format!("Secret {name}")));
        if content.metadata.deletion_timestamp.is_some() {
            part.verdict = Some(Verdict::being_deleted(&format!("Secret {name}"), Lifetime::Data).bearable());
        } else {
            part.steps.extend(annotate(scene, content, &found));
        }
        part.facts.fingerprint = Some(found);
        part
    }
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Value of an annotation of `NAME-keys`, which replaces `status.resolved` after the status was lost, for example in a restore.
#[must_use]
pub fn noted(content: Option<&Content>, key: &str) -> Option<String> {
    content.and_then(|content| annotation(&content.metadata, key)).map(ToOwned::to_owned)
}

/// Notes what data depends on onto the Secret, which a backup brings along where it does not bring the status.
fn annotate(scene: &Scene<'_>, content: &Content, fingerprint: &str) -> Option<Step> {
    if scene.wanted.owner.judge(&content.metadata, Lifetime::Data) != Belongs::Ours {
        return None;
    }
    let resolved = scene.pds.status.as_ref().and_then(|status| status.resolved.clone()).unwrap_or_default();
    let wanted = [
        (FINGERPRINT, Some(fingerprint.to_owned())),
        (POSTGRES_MAJOR, resolved.postgres_major.map(|major| major.to_string())),
        (BUCKET, resolved.bucket),
    ];
    let differs = |key: &str, value: &String| annotation(&content.metadata, key) != Some(value);
    let annotations: BTreeMap<_, _> = wanted
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .filter(|(key, value)| differs(key, value))
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let uid = content.metadata.uid.clone().unwrap_or_default();
    (!annotations.is_empty()).then_some(Step::AnnotateKeys { uid, annotations })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(change: &[(&str, &str)]) -> Content {
        let mut values = generate(None);
        for (key, value) in change {
            values.insert(KEYS.into_iter().find(|known| known == key).unwrap(), (*value).into());
        }
        let values = values.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes())).collect();
        Content { values, ..Default::default() }
    }

    #[test]
    fn generated_keys_have_a_fingerprint_of_their_own() {
        let (one, other) = (fingerprint(&content(&[])).unwrap(), fingerprint(&content(&[])).unwrap());
        assert!(one.len() == 32 && one != other);
    }

    #[test]
    fn a_key_that_is_missing_is_named() {
        assert_eq!(fingerprint(&content(&[("jwtSecret", "")])).unwrap_err(), "has no key jwtSecret");
        assert!(fingerprint(&content(&[("plcRotationKey", "zz")])).is_err());
    }

    #[test]
    fn the_name_of_a_key_in_kms_counts_like_a_key() {
        let of = |id: &str| {
            fingerprint(&content(&[("plcRotationKey", ""), (KMS, id), ("keyEncryptionKey", &"ab".repeat(32))]))
        };
        assert_eq!(of("alias/pds"), of("arn:aws:kms:eu-west-1:123456789012:alias/pds"));
        assert_ne!(of("alias/pds"), of("alias/other"));
        assert!(of("pds").unwrap_err().starts_with("has a key plcRotationKmsKeyId that is no name"));
        assert!(fingerprint(&content(&[(KMS, "alias/pds")])).unwrap_err().starts_with("has both"));
        let kms = KmsKey { key_id: "alias/pds".into(), region: None, endpoint: None, role_arn: None };
        let made = generate(Some(&kms));
        assert!(!made.contains_key("plcRotationKey") && made[KMS] == "alias/pds");
    }
}
