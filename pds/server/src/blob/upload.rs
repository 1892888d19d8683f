//! One upload: hashed while it streams into the blob store, then recorded.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use pds_blobstore::BlobKey;
use pds_repo::{Cid, Codec};
use pds_store::{
    AccountId,
    account::Account,
    blob::{self, Blob, Recorded, State},
    usage,
};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{Blobs, media_type::media_type};
use crate::{report::chain, task::run_to_end};

/// Bytes at the beginning of a blob from which its media type is guessed.
const HEAD_BYTES: usize = 4096;
/// The key of a larger upload is recorded before the upload is finished, so that a crash between its object and its row leaves nothing for
/// good. For smaller ones that would cost more than the object that may be left.
const RECORD_KEY_BYTES: u64 = 1 << 20;
/// After this time a COMMIT whose answer did not arrive has happened, or never will.
const IN_DOUBT: Duration = Duration::from_secs(60);
/// How often the deletion of an object without a row is tried.
const ATTEMPTS: usize = 60;
/// How long a client may send nothing: the bytes before are in memory.
const STALL: Duration = Duration::from_secs(30);

/// A stored upload.
#[derive(Debug)]
pub struct Uploaded {
    /// CID of the bytes.
    pub cid: Cid,
    /// The media type that the bytes show, or else the one that the client stated.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
    /// Whether the account did not have the blob before.
    pub is_new: bool,
    /// Whether a record waited for it: it came with an imported repository, or its object was lost.
    pub fills_gap: bool,
}

/// Why an upload was not stored. No object is left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob is larger than the host's limit.
    #[error("This file is too large. It is larger than the maximum blob size of {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The account's quota does not suffice.
    #[error("The account's records and blobs would have more than {quota} bytes together; they have {used}")]
    Quota {
        /// Maximum for all records and blobs of the account, in bytes.
        quota: u64,
        /// Size of what it has, in bytes.
        used: u64,
    },
    /// The host took this blob down.
    #[error("Blob has been taken down")]
    TakenDown,
    /// The client went away, or stopped sending.
    #[error("the blob did not arrive completely: the connection ended, or it was too slow")]
    Broken,
    /// The blob store failed.
    #[error(transparent)]
    Blobs(#[from] pds_blobstore::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl Blobs {
    /// Streams `body` into the blob store under a random key and records it for the account. `stated_size` is the length that the client
    /// stated, if it did.
    ///
    /// Cancellation: once the body was read it runs to its end.
    ///
    /// # Errors
    /// Why the upload was not stored.
    pub async fn upload<E>(
        &self,
        account: &Account,
        stated_type: &str,
        stated_size: Option<u64>,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Uploaded, Error> {
        let (room, account) = (self.room(account).await?, account.id);
        room.check(stated_size.unwrap_or_default())?;
        let key = BlobKey::random();
        let mut object = self.store().begin(&key).await?;
        let (mut hash, mut head, mut size, mut is_key_recorded) = (Sha256::new(), BytesMut::new(), 0u64, false);
        while let Some(chunk) = timeout(STALL, body.next()).await.map_err(|_| Error::Broken)? {
            let chunk = chunk.map_err(|_| Error::Broken)?;
            size += chunk.len() as u64;
            room.check(size)?;
            hash.update(&chunk);
            if head.len() < HEAD_BYTES {
                head.extend_from_slice(&chunk[..chunk.len().min(HEAD_BYTES - head.len())]);
            }
            object.write(chunk).await?;
            if size > RECORD_KEY_BYTES && !is_key_recorded {
                self.discard_later(&key).await?;
                is_key_recorded = true;
            }
        }
        object.finish().await?;
        let cid = Cid::from_digest(Codec::Raw, hash.finalize().into());
        let mime = media_type(&head, stated_type).to_owned();
        let written = Written { account, cid, mime, size, key, quota: room.quota, is_key_recorded };
        // A caller that goes away now must not leave an object that is recorded nowhere.
        let this = self.clone();
        run_to_end(async move { this.settle(written).await }).await
    }

    /// Undoes an upload that exceeded a limit, unless a record refers to it by now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn take_back(&self, account: AccountId, uploaded: &Uploaded) -> pds_store::Result<()> {
        if !uploaded.is_new {
            return Ok(());
        }
        let now = self.now_us();
        let mut tx = self.db().begin().await?;
        blob::delete_temporary(&mut tx, account, &uploaded.cid, now.saturating_add(1)).await?;
        tx.commit().await
    }

    /// Records the upload, or deletes its object.
    async fn settle(&self, written: Written) -> Result<Uploaded, Error> {
        let Written { account, cid, size, quota, .. } = written;
        let recorded = match self.record(&written).await {
            Ok(recorded) => recorded,
            Err(Unrecorded::Certainly(error)) => {
                if self.discard(&written.key).await.is_err() {
                    self.discard_unless_recorded(written);
                }
                return Err(error.into());
            }
            // The row may exist, and needs the object then.
            Err(Unrecorded::Perhaps(error)) => {
                self.discard_unless_recorded(written);
                return Err(error.into());
            }
        };
        let uploaded = |mime_type: String, fills_gap: bool| Uploaded { cid, mime_type, size, is_new: true, fills_gap };
        let known = match recorded {
            Recorded::New { awaited } => return Ok(uploaded(written.mime, awaited)),
            Recorded::Known(known) if self.replaced(&known, &written.key).await? => {
                let fills_gap = known.state == State::Permanent;
                return Ok(uploaded(known.mime, fills_gap));
            }
            other => other,
        };
        self.discard(&written.key).await?;
        match known {
            Recorded::TakenDown => Err(Error::TakenDown),
            Recorded::OverQuota { used } => Err(Error::Quota { quota: quota.unwrap_or_default(), used }),
            Recorded::Known(known) => Ok(Uploaded { is_new: false, ..uploaded(known.mime, false) }),
            Recorded::New { .. } => Ok(uploaded(written.mime, false)),
        }
        .inspect_err(|error| tracing::debug!(account.id = %account, %error, "uploadBlob failed"))
    }

    async fn record(&self, written: &Written) -> Result<Recorded, Unrecorded> {
        let upload = blob::Upload {
            account_id: written.account,
            cid: written.cid,
            mime: &written.mime,
            size: written.size,
            storage_key: written.key.as_str(),
            at: self.now_us(),
            quota: written.quota,
        };
        let mut tx = self.db().begin().await?;
        let recorded = blob::record(&mut tx, &upload).await?;
        match recorded {
            Recorded::OverQuota { .. } => {
                tx.rollback().await?;
                return Ok(recorded);
            }
            Recorded::New { .. } if written.is_key_recorded => {
                blob::forget_discarded(&mut tx, upload.storage_key).await?;
            }
            _ => {}
        }
        tx.commit().await.map_err(Unrecorded::Perhaps)?;
        Ok(recorded)
    }

    /// Gives a blob that the account has already the object of this upload, if its own is lost. Returns whether it did.
    async fn replaced(&self, known: &Blob, key: &BlobKey) -> Result<bool, Error> {
        // A failing blob store is no reason to refuse bytes that were uploaded before.
        if self.has_object(known).await.unwrap_or(known.lost_at.is_none()) {
            return Ok(false);
        }
        self.mark_lost(known).await?;
        let mut tx = self.db().begin().await?;
        let replaced = blob::replace(&mut tx, known, key.as_str(), self.now_us()).await?;
        if replaced {
            blob::forget_discarded(&mut tx, key.as_str()).await?;
        }
        tx.commit().await?;
        if replaced {
            tracing::info!(account.id = %known.account_id, cid = %known.cid, "the lost object of blob {} was replaced by an upload", known.cid);
        }
        Ok(replaced)
    }

    /// Deletes the object of an upload that could not be recorded, in the background, unless the blob's row has it by then.
    fn discard_unless_recorded(&self, written: Written) {
        let (this, Written { account, cid, key, .. }) = (self.clone(), written);
        tokio::spawn(async move {
            for _ in 0..ATTEMPTS {
                tokio::select! {
                    () = this.parts().shutdown.cancelled() => {}
                    () = tokio::time::sleep(IN_DOUBT) => {}
                }
                let settled = match blob::get(this.db(), account, &cid).await {
                    Ok(Some(blob)) if blob.storage_key == key.as_str() => Ok(()),
                    Ok(_) => this.discard(&key).await,
                    Err(error) => Err(error),
                };
                match settled {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(%key, error = chain(&error), "the object {key} of an upload that could not be recorded is still there")
                    }
                }
            }
        });
    }

    async fn room(&self, account: &Account) -> pds_store::Result<Room> {
        let (limit, quota) = (self.parts().settings.upload_limit, self.quota(account));
        let used = if quota.is_some() { usage::counted(self.db(), account.id).await?.bytes() } else { 0 };
        Ok(Room { limit, quota, used })
    }
}

/// An upload whose object is in the store and whose row is not.
struct Written {
    account: AccountId,
    cid: Cid,
    mime: String,
    size: u64,
    key: BlobKey,
    quota: Option<u64>,
    is_key_recorded: bool,
}

/// Why an upload has no row, and how certain that is.
enum Unrecorded {
    Certainly(pds_store::Error),
    /// The answer to COMMIT did not arrive.
    Perhaps(pds_store::Error),
}

impl From<pds_store::Error> for Unrecorded {
    fn from(error: pds_store::Error) -> Self {
        Self::Certainly(error)
    }
}

/// How large an upload may be, as far as is known before it ends; in bytes.
struct Room {
    limit: u64,
    quota: Option<u64>,
    used: u64,
}

impl Room {
    fn check(&self, size: u64) -> Result<(), Error> {
        if size > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        match self.quota {
            Some(quota) if self.used.saturating_add(size) > quota => Err(Error::Quota { quota, used: self.used }),
            _ => Ok(()),
        }
    }
}
