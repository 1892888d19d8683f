//! Where the bytes of the reference's blobs are: in a folder or in a bucket. Only read.

use std::{io, path::PathBuf};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use pds_blobstore::S3Objects;
use pds_store::reference::{Folder, SourceBlob};
use pds_syntax::Did;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

/// Bytes that are read from a file at once.
const PIECE: usize = 256 << 10;

/// Where the bytes of blobs are.
#[derive(Debug)]
pub enum BlobSource {
    /// In the folder for blobs.
    Folder,
    /// In a bucket, under the names that the reference gives them.
    Bucket(S3Objects),
}

/// Why a blob was not copied.
pub(super) enum Failed {
    /// Its bytes are not there any more, or not readable. Another attempt finds the same.
    Lost(String),
    /// The blob store or the bucket failed.
    Store(pds_blobstore::Error),
}

impl From<pds_blobstore::Error> for Failed {
    fn from(error: pds_blobstore::Error) -> Self {
        Self::Store(error)
    }
}

impl BlobSource {
    /// Opens the bytes of a blob, wherever the reference may have put them.
    pub(super) async fn open(
        &self,
        folder: &Folder,
        did: &Did,
        blob: &SourceBlob,
    ) -> Result<BoxStream<'static, Result<Bytes, Failed>>, Failed> {
        match self {
            Self::Folder => {
                let unreadable = |error: io::Error| Failed::Lost(format!("its file cannot be read: {error}"));
                let file = open_file(folder, did, blob).await.map_err(unreadable)?;
                Ok(ReaderStream::with_capacity(file, PIECE).map_err(unreadable).boxed())
            }
            Self::Bucket(objects) => {
                for name in object_names(did, blob) {
                    if let Some(pieces) = objects.open(&name).await? {
                        return Ok(pieces.map_err(Failed::Store).boxed());
                    }
                }
                Err(Failed::Lost(format!("the bucket has no object for it, such as blocks/{did}/{}", blob.cid)))
            }
        }
    }
}

async fn open_file(folder: &Folder, did: &Did, blob: &SourceBlob) -> io::Result<File> {
    let mut paths: Vec<PathBuf> = folder.blob_files(did.as_str(), &blob.cid).into();
    if let Some(key) = &blob.temp_key {
        paths.push(folder.temporary_blob(did.as_str(), key));
    }
    let mut missing = io::Error::from(io::ErrorKind::NotFound);
    for path in paths {
        match File::open(path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing = error,
            opened => return opened,
        }
    }
    Err(missing)
}

/// In its place, in the quarantine of what was taken down, and where it is while no record refers to it.
fn object_names(did: &Did, blob: &SourceBlob) -> Vec<String> {
    let cid = &blob.cid;
    let mut names = vec![format!("blocks/{did}/{cid}"), format!("quarantine/{did}/{cid}")];
    names.extend(blob.temp_key.as_ref().map(|key| format!("tmp/{did}/{key}")));
    names
}
