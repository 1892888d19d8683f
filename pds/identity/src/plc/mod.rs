//! did:plc: operations, and the directory that stores them. Source: <https://web.plc.directory/spec/v0.1/did-plc>.

mod check;
mod directory;
mod last;
mod operation;
mod rotation_key;

use async_trait::async_trait;
use pds_syntax::Did;

pub use check::{Malformed, methods, services};
pub use directory::HttpDirectory;
pub use last::Last;
pub use operation::{Operation, PlcService, SignedOperation, genesis, rotation_keys};
pub use rotation_key::RotationKey;

use crate::{DidDocument, Error};

/// A PLC directory.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Appends an operation to the log of a DID. A genesis operation creates the DID.
    async fn submit(&self, did: &Did, operation: &SignedOperation) -> Result<(), Error>;
    /// The current document of a DID.
    async fn document(&self, did: &Did) -> Result<DidDocument, Error>;
    /// The newest operation in the log of a DID.
    async fn last(&self, did: &Did) -> Result<Last, Error>;
    /// Succeeds if the directory responds.
    async fn health(&self) -> Result<(), Error>;
}
