//! What the operator keeps for itself: the seed, and the name of the cluster.

use anyhow::Context as _;
use data_encoding::HEXLOWER;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use operator_object_store::Seed;
use sha2::{Digest, Sha256};

/// The Secret with the seed, from which the secrets of S3 users are derived.
const SEED_SECRET: &str = "aurora-locus-seed";

const SEED_KEY: &str = "seed";

/// The seed: made once, and the same for every replica and every later start.
pub(crate) async fn seed(client: &Client, namespace: &str) -> anyhow::Result<Seed> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes);
    let data = [(SEED_KEY.to_owned(), ByteString(bytes.to_vec()))].into();
    let metadata = ObjectMeta { name: Some(SEED_SECRET.into()), ..Default::default() };
    let fresh = Secret { metadata, data: Some(data), immutable: Some(true), ..Default::default() };
    let secret = match api.get_opt(SEED_SECRET).await.context("read the seed")? {
        Some(secret) => secret,
        None => match api.create(&PostParams::default(), &fresh).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                api.get(SEED_SECRET).await.context("read the seed")?
            }
            made => made.context("write the seed")?,
        },
    };
    let bytes = secret.data.unwrap_or_default().remove(SEED_KEY).map(|value| value.0).unwrap_or_default();
    Seed::try_from(bytes.as_slice()).with_context(|| format!("Secret {namespace}/{SEED_SECRET}, key {SEED_KEY}"))
}

/// What names this cluster in markers: it tells people where an owner is, and decides nothing.
pub(crate) async fn cluster(client: &Client) -> String {
    let system = Api::<Namespace>::all(client.clone()).get_metadata("kube-system").await;
    let uid = system.ok().and_then(|system| system.uid()).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(uid.as_bytes())[..6])
}
