//! One upload: hashed and looked at while it streams into the store.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use pds_blobstore::BlobKey;
use pds_repo::{Cid, Codec};
use pds_store::{
    AccountId,
    blob::{self, Recorded},
};
use sha2::{Digest, Sha256};

use crate::app::App;

/// How much of the beginning is looked at to tell the type.
const SNIFF_BYTES: usize = 4096;

/// A stored upload.
#[derive(Debug)]
pub struct Uploaded {
    /// Of the bytes.
    pub cid: Cid,
    /// As the bytes show it, else as the client said.
    pub mime_type: String,
    /// How many bytes.
    pub size: u64,
}

/// Why an upload was not stored. No object is left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Above the host's limit.
    #[error("This file is too large. It is larger than the maximum blob size of {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// No bytes at all.
    #[error("The upload is empty")]
    Empty,
    /// The host took this blob down.
    #[error("Blob has been taken down")]
    TakenDown,
    /// The client went away.
    #[error("the upload broke off")]
    Broken,
    /// The store failed.
    #[error(transparent)]
    Blobs(#[from] pds_blobstore::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Streams `body` into the store under a random name and records it for the account.
pub async fn upload<E>(
    app: &App,
    account: AccountId,
    said_type: &str,
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Uploaded, Error> {
    let limit = app.settings.blob.upload_limit;
    let key = BlobKey::random();
    let mut object = app.blobs.begin(&key).await?;
    let (mut hash, mut head, mut size) = (Sha256::new(), BytesMut::new(), 0u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Error::Broken)?;
        size += chunk.len() as u64;
        if size > limit {
            return Err(Error::TooLarge { limit });
        }
        hash.update(&chunk);
        if head.len() < SNIFF_BYTES {
            head.extend_from_slice(&chunk[..chunk.len().min(SNIFF_BYTES - head.len())]);
        }
        object.write(chunk).await?;
    }
    if size == 0 {
        return Err(Error::Empty);
    }
    object.finish().await?;
    let cid = Cid::from_digest(Codec::Raw, hash.finalize().into());
    let mime = infer::get(&head).map_or(said_type, |kind| kind.mime_type());
    match record(app, account, &cid, mime, size, &key).await {
        Ok(Recorded::New) => Ok(Uploaded { cid, mime_type: mime.to_owned(), size }),
        Ok(Recorded::Known(known)) => {
            app.blobs.delete(&key).await?;
            Ok(Uploaded { cid, mime_type: known.mime, size })
        }
        Ok(Recorded::TakenDown) => {
            app.blobs.delete(&key).await?;
            Err(Error::TakenDown)
        }
        // Should COMMIT have succeeded all the same, the row needs its bytes: they stay.
        Err(error) => Err(error.into()),
    }
}

async fn record(
    app: &App,
    account_id: AccountId,
    cid: &Cid,
    mime: &str,
    size: u64,
    key: &BlobKey,
) -> pds_store::Result<Recorded> {
    let mut tx = app.db.begin().await?;
    let upload = blob::Upload { account_id, cid: *cid, mime, size, storage_key: key.as_str(), at: app.clock.now_us() };
    let recorded = blob::record(&mut tx, &upload).await?;
    tx.commit().await?;
    Ok(recorded)
}
