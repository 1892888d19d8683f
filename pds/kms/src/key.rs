//! A key in KMS.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    operation::get_public_key::GetPublicKeyOutput,
    primitives::Blob,
    types::{KeyUsageType, MessageType, SigningAlgorithmSpec},
};
use pds_crypto::{PublicKey, der};
use pds_identity::plc::{Operation, RotationKey, SignedOperation};
use sha2::{Digest, Sha256};

use crate::{
    Error, Options,
    client::{client, within},
};

/// Maximum length of a message that KMS hashes itself, in bytes.
const MESSAGE_BYTES: usize = 4096;

/// A key of secp256k1 in KMS. Its public key was read once.
pub struct KmsKey {
    client: Client,
    /// The key's own name: an alias may be given to another key while this one is in use.
    name: String,
    public: PublicKey,
}

impl KmsKey {
    /// Asks KMS for the public key.
    ///
    /// # Errors
    /// When KMS does not give it, or if the key cannot sign PLC operations.
    pub async fn load(options: Options) -> Result<Self, Error> {
        let client = client(&options).await;
        Self::load_with(client, options.key).await
    }

    /// As [`KmsKey::load`], with a client that the caller has made.
    ///
    /// # Errors
    /// As [`KmsKey::load`].
    pub async fn load_with(client: Client, key: String) -> Result<Self, Error> {
        const OPERATION: &str = "GetPublicKey";
        let request = client.get_public_key().key_id(&key);
        let answer = async { request.send().await.map_err(Error::of(OPERATION, &key)) };
        let answer = within(OPERATION, &key, answer).await?;
        let public = public_key(&key, &answer)?;
        let name = answer.key_id.unwrap_or(key);
        Ok(Self { client, name, public })
    }

    /// Signs the SHA-256 of a message. Returns `r || s`, low-S.
    ///
    /// # Errors
    /// When KMS does not sign, or signs with another key.
    pub async fn signature(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        const OPERATION: &str = "Sign";
        // What KMS signs is the same: it hashes a message as it is done here.
        let (input, kind) = match message.len() {
            ..=MESSAGE_BYTES => (message.to_vec(), MessageType::Raw),
            _ => (Sha256::digest(message).to_vec(), MessageType::Digest),
        };
        let request = self.client.sign().key_id(&self.name).message(Blob::new(input)).message_type(kind);
        let request = request.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        let answer = async { request.send().await.map_err(Error::of(OPERATION, &self.name)) };
        let answer = within(OPERATION, &self.name, answer).await?;
        let der = answer.signature.unwrap_or_else(|| Blob::new([]));
        let signature = der::signature(der.as_ref()).map_err(|_| self.invalid())?;
        self.public.verify(message, &signature).map_err(|_| self.invalid())?;
        Ok(signature)
    }

    fn invalid(&self) -> Error {
        Error::Signature { key: self.name.clone(), did_key: self.public.did_key() }
    }
}

fn public_key(key: &str, answer: &GetPublicKeyOutput) -> Result<PublicKey, Error> {
    let wrong = |found: String| Error::WrongKind { key: key.to_owned(), found };
    match &answer.key_usage {
        None | Some(KeyUsageType::SignVerify) => {}
        Some(usage) => return Err(wrong(format!("one for {}", usage.as_str()))),
    }
    let spki = answer.public_key.as_ref().map_or(&[][..], AsRef::as_ref);
    der::public_key(spki).map_err(|error| match &answer.key_spec {
        Some(spec) => wrong(format!("one with the specification {}", spec.as_str())),
        None => wrong(format!("one of another kind ({error})")),
    })
}

#[async_trait]
impl RotationKey for KmsKey {
    fn did_key(&self) -> String {
        self.public.did_key()
    }

    async fn sign(&self, operation: Operation) -> Result<SignedOperation, pds_identity::Error> {
        let signature = self
            .signature(&operation.message())
            .await
            .map_err(|error| pds_identity::Error::Unsigned { key: self.name.clone(), reason: error.to_string() })?;
        Ok(operation.signed(&signature))
    }
}

impl fmt::Debug for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KmsKey({}, {})", self.name, self.public.did_key())
    }
}
