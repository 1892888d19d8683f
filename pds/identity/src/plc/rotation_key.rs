//! The host's rotation key: in this process, or where it never leaves a service that signs with it.

use std::fmt;

use async_trait::async_trait;
use pds_crypto::SigningKey;

use super::{Operation, SignedOperation};
use crate::Error;

/// Signs PLC operations for this host.
#[async_trait]
pub trait RotationKey: fmt::Debug + Send + Sync + 'static {
    /// The public key, as did:key.
    fn did_key(&self) -> String;

    /// Signs an operation.
    ///
    /// # Errors
    /// [`Error::Unsigned`] if the key cannot be used at the moment.
    async fn sign(&self, operation: Operation) -> Result<SignedOperation, Error>;
}

#[async_trait]
impl RotationKey for SigningKey {
    fn did_key(&self) -> String {
        SigningKey::did_key(self)
    }

    async fn sign(&self, operation: Operation) -> Result<SignedOperation, Error> {
        Ok(operation.sign(self))
    }
}
