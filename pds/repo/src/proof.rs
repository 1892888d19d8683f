//! Proofs: that a commit consists of exactly the operations that its event lists, and that a record is in a repository.

use std::collections::HashMap;

use bytes::Bytes;
use pds_crypto::PublicKey;
use pds_syntax::Did;

use crate::{
    Action, Cid, Op, car,
    cbor::Invalid,
    commit,
    mst::{Error as TreeError, Tree},
};

/// Why a commit event does not prove its operations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Car(#[from] car::Error),
    #[error("the CAR's root is not a commit block")]
    Commit(#[from] Invalid),
    /// A node of the tree is missing or wrong.
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("the operation on {path} contradicts the tree, which has the record {found:?} there")]
    Operation {
        path: String,
        /// The record in the tree.
        found: Option<Cid>,
    },
}

/// A file that does not prove that its record is in the repository, with the first fault that was found.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Car(#[from] car::Error),
    #[error("the CAR's root is not a commit block")]
    Commit(#[from] Invalid),
    #[error("the commit is of {0}")]
    OtherRepository(Did),
    #[error("the commit was not signed with the key of the repository")]
    Signature,
    /// A node of the tree is missing or wrong.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// The record at `path` and its CID, from the answer of `com.atproto.sync.getRecord` for the repository of `did`, whose key is `key`. `None` if the
/// file proves that there is none.
///
/// # Errors
/// If the file proves nothing.
pub fn record(file: &[u8], did: &Did, key: &PublicKey, path: &str) -> Result<Option<(Cid, Bytes)>, RecordError> {
    let reader = car::Reader::new(file)?;
    let root = reader.root;
    let blocks = reader
        .map(|block| block.map(|(cid, bytes)| (cid, Bytes::copy_from_slice(bytes))))
        .collect::<Result<HashMap<_, _>, _>>()?;
    let commit = commit::decode(blocks.get(&root).ok_or(TreeError::Missing(root))?)?;
    if commit.did != *did {
        return Err(RecordError::OtherRepository(commit.did));
    }
    commit.verify(key).map_err(|_| RecordError::Signature)?;
    let Some(cid) = Tree::partial(&commit.data, &blocks)?.get(path)? else { return Ok(None) };
    let record = blocks.get(&cid).ok_or(TreeError::Missing(cid))?;
    Ok(Some((cid, record.clone())))
}

/// Reverts the operations of a commit on the partial tree in its blocks. Returns the root of the tree before the commit.
///
/// If the result equals `prevData`, the commit consists of exactly these operations. Source: Sync v1.1, inductive firehose.
pub fn invert(blocks: &[u8], ops: &[Op]) -> Result<Cid, Error> {
    let reader = car::Reader::new(blocks)?;
    let root = reader.root;
    let blocks = reader
        .map(|block| block.map(|(cid, bytes)| (cid, Bytes::copy_from_slice(bytes))))
        .collect::<Result<HashMap<_, _>, _>>()?;
    let head = blocks.get(&root).ok_or(TreeError::Missing(root))?;
    let mut tree = Tree::partial(&commit::decode(head)?.data, &blocks)?;
    for op in ops.iter().rev() {
        let found = match (op.action, op.prev) {
            (Action::Create, _) => tree.delete(op.path.as_str())?,
            (Action::Update | Action::Delete, Some(prev)) => tree.put(&op.path.as_str().into(), prev)?,
            (Action::Update | Action::Delete, None) => None,
        };
        if found != op.cid || (op.action != Action::Create && op.prev.is_none()) {
            return Err(Error::Operation { path: op.path.to_string(), found });
        }
    }
    Ok(tree.root())
}

#[cfg(test)]
mod tests {
    use pds_crypto::SigningKey;
    use pds_syntax::Tid;

    use super::*;

    #[test]
    fn a_record_is_proven_by_the_key_of_its_repository() {
        let (key, did): (_, Did) = (SigningKey::generate(), "did:plc:abc".parse().unwrap());
        let body = Bytes::from_static(b"\xa0");
        let cid = Cid::dag_cbor(&body);
        let tree = Tree::from_sorted([("a.b.c/self".into(), cid)]);
        let data = tree.root();
        let signed = commit::sign(&did, Tid::from_micros(7, 0), &data, &key);
        let mut blocks = tree.proof("a.b.c/self", false).unwrap();
        blocks.extend([(signed.cid, signed.bytes), (cid, body.clone())]);
        let file = car::write(&signed.cid, blocks.iter().map(|(cid, block)| (cid, block)));
        let public = PublicKey::from_did_key(&key.did_key()).unwrap();

        assert_eq!(record(&file, &did, &public, "a.b.c/self").unwrap(), Some((cid, body)));
        assert_eq!(record(&file, &did, &public, "a.b.c/other").unwrap(), None);
        let other = PublicKey::from_did_key(&SigningKey::generate().did_key()).unwrap();
        assert!(matches!(record(&file, &did, &other, "a.b.c/self"), Err(RecordError::Signature)));
        let elsewhere: Did = "did:plc:other".parse().unwrap();
        assert!(matches!(record(&file, &elsewhere, &public, "a.b.c/self"), Err(RecordError::OtherRepository(_))));
        assert!(record(&file[..file.len() - 1], &did, &public, "a.b.c/self").is_err());
        let without = car::write(&signed.cid, blocks[..blocks.len() - 1].iter().map(|(cid, block)| (cid, block)));
        assert!(matches!(record(&without, &did, &public, "a.b.c/self"), Err(RecordError::Tree(_))));
    }
}
