//! did:plc: operations and the directory that keeps them. Source: <https://web.plc.directory/spec/v0.1/did-plc>.

mod directory;
mod operation;

use async_trait::async_trait;
use pds_syntax::Did;

pub use directory::HttpDirectory;
pub use operation::{Operation, PlcService, SignedOperation, genesis};

use crate::{DidDocument, Error};

/// A PLC directory.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Adds an operation to a DID's log; a genesis operation makes the DID.
    async fn submit(&self, did: &Did, operation: &SignedOperation) -> Result<(), Error>;
    /// The current document.
    async fn document(&self, did: &Did) -> Result<DidDocument, Error>;
    /// The newest operation of the log.
    async fn last(&self, did: &Did) -> Result<SignedOperation, Error>;
    /// Does it answer?
    async fn health(&self) -> Result<(), Error>;
}
