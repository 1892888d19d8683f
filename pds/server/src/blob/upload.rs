//! One upload: hashed and looked at while it streams into the store.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use pds_blobstore::BlobKey;
use pds_repo::{Cid, Codec};
use pds_store::{
    AccountId,
    blob::{self, Blob, Recorded, State},
};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    lost,
    sweep::{UNREFERENCED, drop_object},
};
use crate::{app::App, report::chain};

/// How much of the beginning is looked at to tell the type.
const SNIFF_BYTES: usize = 4096;
/// An upload that is larger is noted before it is finished, so that a crash between its bytes and its row leaves nothing for
/// good. For smaller ones that would cost more than what may be left.
const NOTED_BYTES: u64 = 1 << 20;
/// After this time a COMMIT whose answer did not come has happened, or never will.
const IN_DOUBT: Duration = Duration::from_secs(60);
/// How often an object that has no row is tried to be deleted before it is left.
const ATTEMPTS: usize = 60;
/// How long a client may send nothing: what it has sent so far holds memory.
const STALL: Duration = Duration::from_secs(30);

/// A stored upload.
#[derive(Debug)]
pub struct Uploaded {
    /// Of the bytes.
    pub cid: Cid,
    /// As the bytes show it, else as the client said.
    pub mime_type: String,
    /// How many bytes.
    pub size: u64,
    /// The account did not have it before.
    pub is_new: bool,
    /// A record waited for it: it came with a repository that moved here, or its object was lost.
    pub fills_gap: bool,
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
    /// The account has no room for it.
    #[error("The account's blobs would have more than {quota} bytes together; they have {used}")]
    Quota {
        /// What it may have, in bytes.
        quota: u64,
        /// What it has, in bytes.
        used: u64,
    },
    /// The host took this blob down.
    #[error("Blob has been taken down")]
    TakenDown,
    /// The client went away, or stopped sending.
    #[error("the upload broke off")]
    Broken,
    /// The store failed.
    #[error(transparent)]
    Blobs(#[from] pds_blobstore::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Streams `body`, of which the client may have said how long it is, into the store under a random name and records it for the
/// account.
pub async fn upload<E>(
    app: &App,
    account: AccountId,
    said_type: &str,
    said_size: Option<u64>,
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Uploaded, Error> {
    let room = Room::of(app, account).await?;
    room.check(said_size.unwrap_or_default())?;
    let key = BlobKey::random();
    let mut object = app.blobs.begin(&key).await?;
    let (mut hash, mut head, mut size, mut is_noted) = (Sha256::new(), BytesMut::new(), 0u64, false);
    while let Some(chunk) = timeout(STALL, body.next()).await.map_err(|_| Error::Broken)? {
        let chunk = chunk.map_err(|_| Error::Broken)?;
        size += chunk.len() as u64;
        room.check(size)?;
        hash.update(&chunk);
        if head.len() < SNIFF_BYTES {
            head.extend_from_slice(&chunk[..chunk.len().min(SNIFF_BYTES - head.len())]);
        }
        object.write(chunk).await?;
        if size > NOTED_BYTES && !is_noted {
            note(app, &key).await?;
            is_noted = true;
        }
    }
    object.finish().await?;
    let cid = Cid::from_digest(Codec::Raw, hash.finalize().into());
    let mime = media_type(&head, said_type).to_owned();
    let written = Written { account, cid, mime, size, key, quota: room.quota, is_noted };
    // A caller who goes away now must not leave an object that nobody knows of.
    let app = app.clone();
    let task = tokio::spawn(async move { settle(&app, written).await });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// An upload whose object is in the store and whose row is not.
struct Written {
    account: AccountId,
    cid: Cid,
    mime: String,
    size: u64,
    key: BlobKey,
    quota: Option<u64>,
    is_noted: bool,
}

/// Records the upload, or deletes its object.
async fn settle(app: &App, written: Written) -> Result<Uploaded, Error> {
    let Written { account, cid, size, quota, .. } = written;
    let recorded = match record(app, &written).await {
        Ok(recorded) => recorded,
        Err(Unrecorded::Certainly(error)) => {
            if drop_object(app, &written.key).await.is_err() {
                written.later(app);
            }
            return Err(error.into());
        }
        // The row may be there, and needs its bytes then.
        Err(Unrecorded::Perhaps(error)) => {
            written.later(app);
            return Err(error.into());
        }
    };
    let uploaded = |mime_type: String, fills_gap: bool| Uploaded { cid, mime_type, size, is_new: true, fills_gap };
    let known = match recorded {
        Recorded::New { awaited } => return Ok(uploaded(written.mime, awaited)),
        Recorded::Known(known) if replaced(app, &known, &written.key).await? => {
            let fills_gap = known.state == State::Permanent;
            return Ok(uploaded(known.mime, fills_gap));
        }
        other => other,
    };
    drop_object(app, &written.key).await?;
    match known {
        Recorded::TakenDown => Err(Error::TakenDown),
        Recorded::OverQuota { used } => Err(Error::Quota { quota: quota.unwrap_or_default(), used }),
        Recorded::Known(known) => Ok(Uploaded { is_new: false, ..uploaded(known.mime, false) }),
        Recorded::New { .. } => Ok(uploaded(written.mime, false)),
    }
    .inspect_err(|error| tracing::debug!(account.id = %account, %error, "an upload was refused"))
}

/// Gives a known blob the object of this upload if its own is gone.
async fn replaced(app: &App, known: &Blob, key: &BlobKey) -> Result<bool, Error> {
    // A store that does not say is no reason to refuse bytes that were uploaded before.
    if lost::is_there(app, known).await.unwrap_or(known.lost_at.is_none()) {
        return Ok(false);
    }
    lost::mark_lost(app, known).await?;
    let mut tx = app.db.begin().await?;
    let replaced = blob::replace(&mut tx, known, key.as_str(), app.clock.now_us()).await?;
    if replaced {
        blob::forget_discarded(&mut tx, key.as_str()).await?;
    }
    tx.commit().await?;
    if replaced {
        tracing::info!(account.id = %known.account_id, cid = %known.cid, "blob {} was lost and is here again", known.cid);
    }
    Ok(replaced)
}

/// Undoes an upload that was too much, unless a record refers to it by now.
pub async fn take_back(app: &App, account: AccountId, uploaded: &Uploaded) -> pds_store::Result<()> {
    if !uploaded.is_new {
        return Ok(());
    }
    let now = app.clock.now_us();
    let mut tx = app.db.begin().await?;
    blob::delete_temporary(&mut tx, account, &uploaded.cid, now.saturating_add(1)).await?;
    tx.commit().await
}

impl Written {
    /// Deletes the object in a while, unless the blob's row has it by then; for an upload that could not be recorded.
    fn later(&self, app: &App) {
        let (app, account, cid, key) = (app.clone(), self.account, self.cid, self.key.clone());
        tokio::spawn(async move {
            for _ in 0..ATTEMPTS {
                tokio::select! {
                    () = app.shutdown.cancelled() => {}
                    () = tokio::time::sleep(IN_DOUBT) => {}
                }
                let settled = match blob::get(&app.db, account, &cid).await {
                    Ok(Some(blob)) if blob.storage_key == key.as_str() => Ok(()),
                    Ok(_) => drop_object(&app, &key).await,
                    Err(error) => Err(error),
                };
                match settled {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(%key, error = chain(&error), "the object of an upload that could not be recorded is still there")
                    }
                }
            }
        });
    }
}

/// The type that the bytes show, unless what the client said is a kind of that.
fn media_type<'a>(head: &[u8], said: &'a str) -> &'a str {
    let Some(seen) = infer::get(head).map(|kind| kind.mime_type()) else { return said };
    let is_a = |families: &[&str]| families.iter().any(|end| said.ends_with(end));
    let allows = match seen {
        "text/xml" => is_a(&["/xml", "+xml"]),
        "text/html" => is_a(&["/html", "+xml"]),
        "application/zip" => {
            is_a(&["+zip", "/zip"]) || said.starts_with("application/vnd.") || is_a(&["/java-archive"])
        }
        "application/gzip" => is_a(&["/gzip", "/x-gzip", "+gzip", "/x-tar+gzip"]),
        // Containers of both.
        "video/mp4" => matches!(said, "audio/mp4" | "audio/x-m4a" | "video/quicktime" | "application/mp4"),
        "video/webm" => said == "audio/webm",
        "audio/ogg" => matches!(said, "video/ogg" | "application/ogg"),
        "video/x-matroska" => matches!(said, "video/webm" | "audio/webm" | "audio/x-matroska"),
        _ => false,
    };
    if allows { said } else { seen }
}

/// Has the object deleted once the upload is over for certain, unless it is recorded before.
async fn note(app: &App, key: &BlobKey) -> pds_store::Result<()> {
    let wait = i64::try_from(UNREFERENCED.as_micros()).unwrap_or(i64::MAX);
    let mut tx = app.db.begin().await?;
    blob::discard(&mut tx, key.as_str(), app.clock.now_us().saturating_add(wait)).await?;
    tx.commit().await
}

/// Why an upload has no row, and how certain that is.
enum Unrecorded {
    Certainly(pds_store::Error),
    /// The answer to COMMIT did not come.
    Perhaps(pds_store::Error),
}

impl From<pds_store::Error> for Unrecorded {
    fn from(error: pds_store::Error) -> Self {
        Self::Certainly(error)
    }
}

async fn record(app: &App, written: &Written) -> Result<Recorded, Unrecorded> {
    let upload = blob::Upload {
        account_id: written.account,
        cid: written.cid,
        mime: &written.mime,
        size: written.size,
        storage_key: written.key.as_str(),
        at: app.clock.now_us(),
        quota: written.quota,
    };
    let mut tx = app.db.begin().await?;
    let recorded = blob::record(&mut tx, &upload).await?;
    match recorded {
        Recorded::OverQuota { .. } => {
            tx.rollback().await?;
            return Ok(recorded);
        }
        Recorded::New { .. } if written.is_noted => blob::forget_discarded(&mut tx, upload.storage_key).await?,
        _ => {}
    }
    tx.commit().await.map_err(Unrecorded::Perhaps)?;
    Ok(recorded)
}

/// How large an upload may be, as far as can be told before it is there.
struct Room {
    limit: u64,
    quota: Option<u64>,
    used: u64,
}

impl Room {
    async fn of(app: &App, account: AccountId) -> pds_store::Result<Self> {
        let (limit, quota) = (app.settings.blob.upload_limit, app.settings.blob.account_quota);
        let used = if quota.is_some() { blob::used_bytes(&app.db, account).await? } else { 0 };
        Ok(Self { limit, quota, used })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// F25
    #[test]
    fn the_type_that_was_said_stands_where_the_bytes_allow_it() {
        let svg = br#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>"#;
        assert_eq!(media_type(svg, "image/svg+xml"), "image/svg+xml");
        assert_eq!(media_type(svg, "image/png"), "text/xml");
        let png = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0];
        assert_eq!(media_type(&png, "image/svg+xml"), "image/png");
        assert_eq!(media_type(b"plain words", "text/plain"), "text/plain");
        let zip = [b'P', b'K', 3, 4, 0, 0, 0, 0];
        assert_eq!(media_type(&zip, "application/epub+zip"), "application/epub+zip");
        assert_eq!(media_type(&zip, "image/jpeg"), "application/zip");
    }
}
