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
    pub did: Did,
    pub rev: Tid,
    /// The root of the tree.
    pub data: Cid,
    /// The previous commit. Only old repositories, of version 2, set it.
    pub prev: Option<Cid>,
    /// The signature of the block without this field.
    pub signature: [u8; 64],
}

/// A commit block with its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub cid: Cid,
    pub bytes: Bytes,
}

/// Makes and signs a commit block of version 3.
pub fn sign(did: &Did, rev: Tid, data: &Cid, key: &SigningKey) -> Signed {
    let signature = key.sign(&encode(did, rev, data, None, None));
    let bytes = Bytes::from(encode(did, rev, data, None, Some(&signature)));
    Signed { cid: Cid::dag_cbor(&bytes), bytes }
}

fn encode(did: &Did, rev: Tid, data: &Cid, prev: Option<&Cid>, signature: Option<&[u8; 64]>) -> Vec<u8> {
    let mut out = Writer::with_capacity(256);
    out.map(if signature.is_some() { 6 } else { 5 }).text("did").text(did.as_str()).text("rev").text(&rev.to_string());
    if let Some(signature) = signature {
        out.text("sig").bytes(signature);
    }
    out.text("data").link(data).text("prev").optional_link(prev).text("version").int(3);
    out.into_bytes()
}

/// Reads a commit block of version 3. Does not verify the signature. `prev` may be set, as in old repositories.
pub fn decode(bytes: &[u8]) -> Result<Commit, Invalid> {
    let mut reader = Reader::new(bytes);
    if reader.map()? != 6 {
        return Err(reader.invalid());
    }
    let did = reader.key("did")?.text()?.parse().map_err(|_| reader.invalid())?;
    let rev = reader.key("rev")?.text()?.parse().map_err(|_| reader.invalid())?;
    let signature = reader.key("sig")?.bytes()?.try_into().map_err(|_| reader.invalid())?;
    let data = reader.key("data")?.link()?;
    let prev = reader.key("prev")?.optional_link()?;
    if reader.key("version")?.uint()? != 3 {
        return Err(reader.invalid());
    }
    reader.end()?;
    Ok(Commit { did, rev, data, prev, signature })
}

impl Commit {
    /// Verifies the signature.
    ///
    /// # Errors
    /// If the commit was not signed with the private key of `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), pds_crypto::Error> {
        key.verify(&encode(&self.did, self.rev, &self.data, self.prev.as_ref(), None), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn did() -> Did {
        "did:plc:abc".parse().unwrap()
    }

    #[test]
    fn a_signed_commit_reads_back_and_only_its_key_verifies_it() {
        let (key, data) = (SigningKey::generate(), Cid::dag_cbor(b""));
        let signed = sign(&did(), Tid::from_micros(7, 0), &data, &key);
        let commit = decode(&signed.bytes).unwrap();
        assert_eq!((&commit.did, commit.rev, commit.data, commit.prev), (&did(), Tid::from_micros(7, 0), data, None));
        commit.verify(&key.public()).unwrap();
        assert!(commit.verify(&SigningKey::generate().public()).is_err());
        let other = Commit { rev: Tid::from_micros(8, 0), ..commit };
        assert!(other.verify(&key.public()).is_err(), "the revision is signed");
    }

    #[test]
    fn a_commit_with_a_previous_commit_verifies() {
        let (key, data, prev) = (SigningKey::generate(), Cid::dag_cbor(b""), Cid::dag_cbor(b"prev"));
        let rev = Tid::from_micros(7, 0);
        let signature = key.sign(&encode(&did(), rev, &data, Some(&prev), None));
        let commit = decode(&encode(&did(), rev, &data, Some(&prev), Some(&signature))).unwrap();
        assert_eq!(commit.prev, Some(prev));
        commit.verify(&key.public()).unwrap();
    }
}
