//! Where the parts of the data are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Error, Result, Use, file};

/// Length of a private key.
const KEY_BYTES: u64 = 32;

/// The places of a data directory's parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Folder {
    /// Accounts, passwords, invite codes and sessions.
    pub accounts: PathBuf,
    /// Events.
    pub sequence: PathBuf,
    /// A folder for each account, with its repository and its key.
    pub actors: PathBuf,
    /// A folder for each account, with a file for each blob.
    pub blobs: PathBuf,
    /// The same for blobs that no record refers to.
    pub temporary_blobs: PathBuf,
}

impl Folder {
    /// The places that the reference uses unless it is told otherwise.
    #[must_use]
    pub fn usual(data: &Path, blobs: PathBuf) -> Self {
        Self {
            accounts: data.join("account.sqlite"),
            sequence: data.join("sequencer.sqlite"),
            actors: data.join("actors"),
            temporary_blobs: blobs.join("tempt"),
            blobs,
        }
    }

    /// Whether the reference runs on this data.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn in_use(&self) -> Result<Use> {
        Ok(match (file::in_use(&self.accounts)?, file::in_use(&self.sequence)?) {
            (Use::Open, _) | (_, Use::Open) => Use::Open,
            (Use::Unknown, _) | (_, Use::Unknown) => Use::Unknown,
            (Use::Free, Use::Free) => Use::Free,
        })
    }

    /// Changes when the reference writes to the data.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn stamp(&self) -> Result<String> {
        Ok(file::stamp(&self.accounts)? + &file::stamp(&self.sequence)?)
    }

    /// The repository and other data of an account.
    #[must_use]
    pub fn actor_store(&self, did: &str) -> PathBuf {
        self.actor(did).join("store.sqlite")
    }

    /// The private key of an account: 32 bytes.
    ///
    /// # Errors
    /// When the file is missing or has another length.
    pub fn key(&self, did: &str) -> Result<Vec<u8>> {
        read_key(&self.actor(did).join("key"))
    }

    /// Reserved private keys with the names under which they are reserved: a DID, or the key itself as did:key. At most `most`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn reserved_keys(&self, most: usize) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = self.actors.join("reserved_keys");
        let failed = |source| Error::Io { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut keys = Vec::new();
        for entry in entries.take(most) {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            keys.push((name.to_owned(), read_key(&path)?));
        }
        keys.sort();
        Ok(keys)
    }

    /// Where the bytes of a blob may be: in its place, or in the quarantine of what was taken down.
    #[must_use]
    pub fn blob_files(&self, did: &str, cid: &str) -> [PathBuf; 2] {
        [self.blobs.join(did).join(cid), self.blobs.join("quarantine").join(did).join(cid)]
    }

    /// Where the bytes of a blob are that no record has referred to.
    #[must_use]
    pub fn temporary_blob(&self, did: &str, key: &str) -> PathBuf {
        self.temporary_blobs.join(did).join(key)
    }

    fn actor(&self, did: &str) -> PathBuf {
        let hash = Sha256::digest(did.as_bytes());
        self.actors.join(format!("{:02x}", hash[0])).join(did)
    }
}

fn read_key(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Missing { path: path.to_owned() }),
        found => found.map_err(failed)?,
    };
    if found.len() != KEY_BYTES {
        return Err(failed(io::Error::other(format!("a key has {KEY_BYTES} bytes, this file has {}", found.len()))));
    }
    fs::read(path).map_err(failed)
}
