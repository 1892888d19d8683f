//! Secrets that are made once and never again.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use secrecy::{ExposeSecret, SecretString};

use super::build::data_meta;
use super::observe::Observed;
use super::validate::Validated;
use crate::context::Ctx;
use crate::k8s::apply::delete_exactly;
use crate::k8s::hash;
use crate::k8s::labels::Component;
use crate::provision::Credential;

/// Keys that the Secret with the keys must have.
pub(super) const KEYS: [&str; 4] = ["jwtSecret", "adminPassword", "plcRotationKey", "keyEncryptionKey"];

/// Makes the Secret, unless it is there; gives the one that is there.
async fn create(ctx: &Ctx, secret: Secret) -> kube::Result<Secret> {
    let namespace = secret.namespace().unwrap_or_default();
    let name = secret.name_any();
    let api = Api::<Secret>::namespaced(ctx.client.clone(), &namespace);
    match api.create(&PostParams::default(), &secret).await {
        Err(kube::Error::Api(status)) if status.code == 409 => api.get(&name).await,
        other => other,
    }
}

fn secret(wanted: &Validated, name: String, component: Component, data: BTreeMap<&str, String>) -> Secret {
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())));
    Secret { metadata: data_meta(wanted, name, component), data: Some(data.collect()), ..Default::default() }
}

fn random_hex<const N: usize>() -> String {
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

/// Makes the keys.
pub(super) async fn create_keys(ctx: &Ctx, wanted: &Validated) -> kube::Result<Secret> {
    let data = BTreeMap::from([
        ("jwtSecret", random_hex::<32>()),
        ("adminPassword", random_hex::<16>()),
        ("plcRotationKey", rotation_key()),
        ("keyEncryptionKey", random_hex::<32>()),
    ]);
    let mut secret = secret(wanted, wanted.names.keys(), Component::Pds, data);
    secret.immutable = Some(true);
    create(ctx, secret).await
}

/// Tells whether the keys are still the same, without telling what they are.
pub(super) fn fingerprint(keys: &Secret) -> String {
    let data = keys.data.clone().unwrap_or_default();
    let values: BTreeMap<_, _> =
        data.iter().filter(|(key, _)| KEYS.contains(&key.as_str())).map(|(key, value)| (key, &value.0)).collect();
    hash::of(&values, 16)
}

/// Makes the password of PostgreSQL, and the URL with it.
pub(super) async fn create_postgres(ctx: &Ctx, wanted: &Validated) -> kube::Result<Secret> {
    let password = random_hex::<20>();
    let (name, namespace) = (wanted.names.postgres(), &wanted.namespace);
    let uri = format!("postgres://pds:{password}@{name}.{namespace}.svc:5432/pds");
    let data = BTreeMap::from([("password", password), ("uri", uri)]);
    create(ctx, secret(wanted, name, Component::Postgres, data)).await
}

/// Keeps the credential of the bucket, in place of one that is of no use any more.
pub(super) async fn replace_s3(
    ctx: &Ctx,
    wanted: &Validated,
    old: Option<&Secret>,
    credential: &Credential,
) -> kube::Result<Secret> {
    if let Some(old) = old {
        let api = Api::<Secret>::namespaced(ctx.client.clone(), &wanted.namespace);
        delete_exactly(&api, old).await?;
    }
    let data = BTreeMap::from([
        ("accessKeyId", credential.access_key_id.clone()),
        ("secretAccessKey", credential.secret_access_key.expose_secret().to_owned()),
    ]);
    create(ctx, secret(wanted, wanted.names.s3(), Component::Pds, data)).await
}

/// Changes when a Secret does that pods read at their start; says nothing about what it holds, not even to one who
/// tries guesses, because the keys are part of it.
pub(super) fn version(observed: &Observed) -> String {
    let data = |secret: &Option<Secret>| secret.as_ref().and_then(|secret| secret.data.clone());
    let (keys, postgres, s3) = (data(&observed.keys), data(&observed.postgres_secret), data(&observed.s3_secret));
    hash::of(&(keys, postgres, s3, &observed.references.database_url), 16)
}

/// The credential in a Secret, if both keys are there.
pub(super) fn credential(secret: &Secret) -> Option<Credential> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok().map(|text| text.trim().to_owned());
    Some(Credential {
        access_key_id: text("accessKeyId")?,
        secret_access_key: SecretString::from(text("secretAccessKey")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_the_settings_allow() {
        assert_eq!(random_hex::<32>().len(), 64);
        assert_eq!(rotation_key().len(), 64);
        assert_ne!(rotation_key(), rotation_key());
    }
}
