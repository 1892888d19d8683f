//! The DID documents of this host's accounts: what they must hold, operations on them, and keys that are reserved for them.

use std::{collections::BTreeMap, sync::Arc};

use pds_crypto::{SigningKey, seal::SealKey};
use pds_identity::{
    Error as ResolveError, Resolver,
    plc::{self, Malformed, Operation, PlcService, SignedOperation},
};
use pds_store::{
    Db,
    account::{self, Account},
    reserved_key::{self, NewKey},
};
use pds_syntax::Did;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    actor::{Actors, key},
    clock::Clock,
};

/// How long a key stays reserved; microseconds.
const RESERVED_US: i64 = 48 * 60 * 60 * 1_000_000;
/// Maximum number of reserved keys: anybody may reserve one.
const RESERVED: u32 = 10_000;
/// The name of the repository's key and of the host in operations and documents.
pub(super) const KEY: &str = "atproto";
pub(super) const PDS: &str = "atproto_pds";
pub(super) const PDS_KIND: &str = "AtprotoPersonalDataServer";

/// The identities of this host's accounts. Cheap to clone.
#[derive(Clone)]
pub struct Identities(Arc<Parts>);

/// What documents are compared with and operations are made with.
pub struct Parts {
    /// Keys and events.
    pub db: Db,
    /// Reads documents.
    pub resolver: Resolver,
    /// Where did:plc identities are published.
    pub plc: Arc<dyn plc::Directory>,
    /// Signs PLC operations.
    pub rotation: Arc<dyn plc::RotationKey>,
    /// Opens signing keys.
    pub seal: Arc<SealKey>,
    /// Signs repositories with another key.
    pub actors: Actors,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The URL of this host.
    pub endpoint: String,
    /// The host owner's did:key for PLC operations.
    pub recovery_key: Option<Did>,
}

/// Why an operation on an identity failed, or a document does not fit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The account was deleted meanwhile.
    #[error("Account not found")]
    Missing,
    /// The signing key cannot be opened or sealed.
    #[error("open the signing key of {did}")]
    Key {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: pds_crypto::Error,
    },
    /// The document or the newest operation cannot be read.
    #[error("Could not resolve DID")]
    Unresolved {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: ResolveError,
    },
    /// The host's rotation key could not be used.
    #[error("sign an operation on {did}")]
    Unsigned {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: ResolveError,
    },
    /// The owner of the DID has given it up.
    #[error("Did is tombstoned")]
    Tombstoned,
    /// The document does not name this host as the account's.
    #[error("{0}")]
    Unfit(&'static str),
    /// A field of an operation is not as it must be.
    #[error("Invalid operation: {0}")]
    Malformed(#[from] Malformed),
    /// An operation would make the document one that does not fit.
    #[error("{0}")]
    Incorrect(&'static str),
    /// A DID of another method has no operations.
    #[error("Only a did:plc has operations in the PLC directory: {0}")]
    NotPlc(Did),
    /// The directory did not take an operation.
    #[error("The PLC directory refused the operation: {message}")]
    Refused {
        /// The directory's words.
        message: String,
    },
    /// As many keys are reserved as may be.
    #[error("Too many signing keys are reserved, try again later")]
    Full,
}

/// What the DID document of an account has to hold, in the words of an operation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The handle as a name.
    pub also_known_as: Vec<String>,
    /// The repository's key.
    pub verification_methods: BTreeMap<String, String>,
    /// Keys that may sign operations, for a did:plc.
    pub rotation_keys: Vec<String>,
    /// This host.
    pub services: BTreeMap<String, PlcService>,
}

/// A change of an operation. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Replaces the keys that may sign operations.
    pub rotation_keys: Option<Vec<String>>,
    /// Replaces the names.
    pub also_known_as: Option<Vec<String>>,
    /// Replaces all keys.
    pub verification_methods: Option<Value>,
    /// Replaces all services.
    pub services: Option<Value>,
}

impl Identities {
    /// The identities of this host.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The public key of an account's repository, as did:key.
    ///
    /// # Errors
    /// When there is no such account, its key cannot be opened, or the database fails.
    pub async fn signing_key(&self, account: &Account) -> Result<String, Error> {
        let sealed = account::signing_key(&self.0.db, account.id).await?.ok_or(Error::Missing)?;
        let key = key::open(&self.0.seal, &account.did, &sealed);
        Ok(key.map_err(|source| Error::Key { did: account.did.clone(), source })?.did_key())
    }

    /// What the document of an account has to hold.
    ///
    /// # Errors
    /// As [`Identities::signing_key`].
    pub async fn recommended(&self, account: &Account) -> Result<Credentials, Error> {
        let own = account::recovery_key(&self.0.db, account.id).await?;
        let recovery = own.iter().chain(&self.0.recovery_key);
        let service = PlcService { kind: PDS_KIND.to_owned(), endpoint: self.0.endpoint.clone() };
        Ok(Credentials {
            also_known_as: vec![format!("at://{}", account.handle)],
            verification_methods: BTreeMap::from([(KEY.to_owned(), self.signing_key(account).await?)]),
            rotation_keys: plc::rotation_keys(recovery, &self.0.rotation.did_key()),
            services: BTreeMap::from([(PDS.to_owned(), service)]),
        })
    }

    /// The document of an account whose did:web is a host name of this server, from what the database has now. While the account changes
    /// its key, the document names the new one.
    ///
    /// # Errors
    /// As [`Identities::signing_key`].
    pub async fn document(&self, account: &Account) -> Result<Value, Error> {
        let changing = reserved_key::for_account(&self.0.db, account.id).await?;
        let key = match changing {
            Some(changing) => changing.public_key,
            None => self.signing_key(account).await?,
        };
        let did = &account.did;
        Ok(json!({
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": did,
            "alsoKnownAs": [format!("at://{}", account.handle)],
            "verificationMethod": [{
                "id": format!("{did}#{KEY}"),
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": key.trim_start_matches("did:key:"),
            }],
            "service": [{"id": format!("#{PDS}"), "type": PDS_KIND, "serviceEndpoint": self.0.endpoint}],
        }))
    }

    /// Checks that the current DID document names this host as the account's, with the key that signs the repository here.
    ///
    /// # Errors
    /// [`Error::Unfit`] if not, [`Error::Unresolved`] or [`Error::Tombstoned`] if there is no document, and as [`Identities::signing_key`].
    pub async fn check(&self, account: &Account) -> Result<(), Error> {
        let did = &account.did;
        let (endpoint, found) = match did.method() {
            "plc" => {
                let last = self.0.plc.last(did).await.map_err(|source| unresolved(did, source))?.operation;
                if !last.rotation_keys.contains(&self.0.rotation.did_key()) {
                    return Err(Error::Unfit("Server rotation key not included in PLC DID data"));
                }
                let endpoint = last.services.get(PDS).map(|service| service.endpoint.clone());
                (endpoint, last.verification_methods.get(KEY).cloned())
            }
            _ => {
                let document = self.0.resolver.refresh_did(did).await.map_err(|source| unresolved(did, source))?;
                (document.pds_endpoint().map(str::to_owned), document.key(KEY).map(|key| key.did_key()))
            }
        };
        if endpoint.as_ref() != Some(&self.0.endpoint) {
            return Err(Error::Unfit("DID document atproto_pds service endpoint does not match PDS public url"));
        }
        match found == Some(self.signing_key(account).await?) {
            true => Ok(()),
            false => Err(Error::Unfit("DID document verification method does not match expected signing key")),
        }
    }

    /// The next operation on the DID of an account, with changes, signed with the host's rotation key. The directory does not have it yet.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub async fn sign(&self, account: &Account, changes: Changes) -> Result<SignedOperation, Error> {
        let did = &account.did;
        if did.method() != "plc" {
            return Err(Error::NotPlc(did.clone()));
        }
        let methods = changes.verification_methods.as_ref().map(plc::methods).transpose()?;
        let services = changes.services.as_ref().map(plc::services).transpose()?;
        let last = self.0.plc.last(did).await.map_err(|source| unresolved(did, source))?;
        if !last.operation.rotation_keys.contains(&self.0.rotation.did_key()) {
            return Err(Error::Unfit("Server rotation key not included in PLC DID data"));
        }
        let next = last.next();
        let next = Operation {
            rotation_keys: changes.rotation_keys.unwrap_or(next.rotation_keys),
            also_known_as: changes.also_known_as.unwrap_or(next.also_known_as),
            verification_methods: methods.unwrap_or(next.verification_methods),
            services: services.unwrap_or(next.services),
            ..next
        };
        next.check()?;
        self.signed(did, next).await
    }

    /// The operation, signed with the host's rotation key.
    pub(super) async fn signed(&self, did: &Did, operation: Operation) -> Result<SignedOperation, Error> {
        let signed = self.0.rotation.sign(operation).await;
        signed.map_err(|source| Error::Unsigned { did: did.clone(), source })
    }

    /// Adds an operation to the log of a DID.
    pub(super) async fn publish(&self, did: &Did, operation: &SignedOperation) -> Result<(), Error> {
        self.0.plc.submit(did, operation).await.map_err(|error| match error {
            ResolveError::Refused { message } => Error::Refused { message },
            error => unresolved(did, error),
        })
    }

    /// Reserves a signing key, as did:key. If one is reserved for `did` already, it is the answer.
    ///
    /// # Errors
    /// [`Error::Full`], or the database fails.
    pub async fn reserve_key(&self, did: Option<&Did>) -> Result<String, Error> {
        let (key, now) = (SigningKey::generate(), self.0.clock.now_us());
        let public_key = key.did_key();
        let sealed = key::seal_reserved(&self.0.seal, &key).map_err(|source| Error::Key {
            did: did.cloned().unwrap_or_else(|| public_key.parse().expect("a did:key is a DID")),
            source,
        })?;
        let new = NewKey { public_key: &public_key, did, sealed: &sealed, now, expires_at: now + RESERVED_US };
        let mut tx = self.0.db.begin().await?;
        reserved_key::forget_expired(&mut tx, now).await?;
        let reserved = reserved_key::reserve(&mut tx, &new, RESERVED).await?.ok_or(Error::Full)?;
        tx.commit().await?;
        Ok(reserved)
    }
}

pub(super) fn unresolved(did: &Did, source: ResolveError) -> Error {
    match source {
        ResolveError::Tombstoned(_) => Error::Tombstoned,
        source => Error::Unresolved { did: did.clone(), source },
    }
}
