//! `store.sqlite` of one account: its repository, its blobs' names, its preferences.

use std::path::Path;

use rusqlite::{OptionalExtension, Row, params};

use super::{Error, Result, file::Opened};

/// Maximum size of an account's preferences together, in bytes. The reference takes at most 150 KB at once.
const PREFERENCES_BYTES: usize = 8 << 20;

/// The open file.
#[derive(Debug)]
pub struct ActorStore(Opened);

/// A blob.
#[derive(Clone, Debug)]
pub struct SourceBlob {
    pub cid: String,
    pub mime_type: String,
    /// The name of its bytes while no record has referred to it.
    pub temp_key: Option<String>,
    pub created_at: String,
    pub takedown_ref: Option<String>,
}

impl ActorStore {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is missing, of a version that this release does not know, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = Opened::open(path)?;
        opened.check_version("001", "001", "001")?;
        Ok(Self(opened))
    }

    /// The CID of the current commit, and the revision.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn root(&self) -> Result<Option<(String, String)>> {
        const SQL: &str = "select cid, rev from repo_root limit 1";
        let root = self.0.connection.query_row(SQL, [], |row| Ok((row.get(0)?, row.get(1)?)));
        root.optional().map_err(self.0.failed())
    }

    /// Passes each block with its CID to `take`, until that fails.
    ///
    /// # Errors
    /// When the file cannot be read, or the error of `take`.
    pub fn blocks<E: From<Error>>(&self, mut take: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        const SQL: &str = "select cid, content from repo_block";
        let failed = self.0.failed();
        let mut statement = self.0.connection.prepare(SQL).map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let cid = row.get_ref(0).and_then(|value| Ok(value.as_str()?)).map_err(&failed)?;
            let content = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
            take(cid, content)?;
        }
        Ok(())
    }

    /// A page of blobs in the order of their CIDs; `after` is the last CID of the page before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn blobs(&self, after: &str, limit: u32) -> Result<Vec<SourceBlob>> {
        const SQL: &str = "select cid, mimeType, tempKey, createdAt, takedownRef from blob where cid > ?1 \
                           order by cid limit ?2";
        let blob = |row: &Row<'_>| {
            Ok(SourceBlob {
                cid: row.get(0)?,
                mime_type: row.get(1)?,
                temp_key: row.get(2)?,
                created_at: row.get(3)?,
                takedown_ref: row.get(4)?,
            })
        };
        self.0.all(SQL, params![after, limit], blob)
    }

    /// URIs of records that were taken down, with the references of the decisions.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn takedowns(&self) -> Result<Vec<(String, String)>> {
        const SQL: &str = "select uri, takedownRef from record where takedownRef is not null order by uri";
        self.0.all(SQL, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The preferences, each a JSON text.
    ///
    /// # Errors
    /// When the file cannot be read, or they are larger than any that the reference stores.
    pub fn preferences(&self) -> Result<Vec<String>> {
        const SIZE: &str = "select coalesce(sum(length(valueJson)), 0) from account_pref";
        const SQL: &str = "select valueJson from account_pref order by id";
        let size: i64 = self.0.connection.query_row(SIZE, [], |row| row.get(0)).map_err(self.0.failed())?;
        if usize::try_from(size).is_ok_and(|size| size > PREFERENCES_BYTES) {
            let path = self.0.path().to_owned();
            return Err(Error::Large { path, what: "preferences", limit: PREFERENCES_BYTES });
        }
        self.0.all(SQL, [], |row| row.get(0))
    }
}
