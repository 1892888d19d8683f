//! Signed commits, repository version 3. Source: <https://atproto.com/specs/repository#commit-objects>.

use bytes::Bytes;
use pds_crypto::{PublicKey, SigningKey};
use pds_syntax::{Did, Tid};

use crate::{
    Cid,
    cbor::{Invalid, Reader, Writer},
};

/// The content of a commit block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Whose repository.
    pub did: Did,
    /// The revision.
    pub rev: Tid,
    /// The tree's root.
    pub data: Cid,
    /// Over the block without this field.
    pub signature: [u8; 64],
}

/// A commit block with its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Of `bytes`.
    pub cid: Cid,
    /// The block.
    pub bytes: Bytes,
}

/// Signs a commit.
pub fn sign(did: &Did, rev: Tid, data: &Cid, key: &SigningKey) -> Signed {
    let signature = key.sign(&encode(did, rev, data, None));
    let bytes = Bytes::from(encode(did, rev, data, Some(&signature)));
    Signed { cid: Cid::dag_cbor(&bytes), bytes }
}

fn encode(did: &Did, rev: Tid, data: &Cid, signature: Option<&[u8; 64]>) -> Vec<u8> {
    let mut out = Writer::with_capacity(256);
    out.map(if signature.is_some() { 6 } else { 5 }).text("did").text(did.as_str()).text("rev").text(&rev.to_string());
    if let Some(signature) = signature {
        out.text("sig").bytes(signature);
    }
    out.text("data").link(data).text("prev").null().text("version").int(3);
    out.into_bytes()
}

/// Reads a commit block. `prev` may hold any link, as old repositories have it.
pub fn decode(bytes: &[u8]) -> Result<Commit, Invalid> {
    let mut reader = Reader::new(bytes);
    if reader.map()? != 6 {
        return Err(reader.invalid());
    }
    let did = reader.key("did")?.text()?.parse().map_err(|_| reader.invalid())?;
    let rev = reader.key("rev")?.text()?.parse().map_err(|_| reader.invalid())?;
    let signature = reader.key("sig")?.bytes()?.try_into().map_err(|_| reader.invalid())?;
    let data = reader.key("data")?.link()?;
    reader.key("prev")?.optional_link()?;
    if reader.key("version")?.uint()? != 3 {
        return Err(reader.invalid());
    }
    reader.end()?;
    Ok(Commit { did, rev, data, signature })
}

impl Commit {
    /// Does `key` verify the signature?
    pub fn verify(&self, key: &PublicKey) -> Result<(), pds_crypto::Error> {
        key.verify(&encode(&self.did, self.rev, &self.data, None), &self.signature)
    }
}
