//! Copying the blobs of one account into the blob store.

use futures::{StreamExt, TryStreamExt, stream};
use pds_blobstore::BlobKey;
use pds_repo::Cid;
use pds_store::{
    AccountId,
    blob::{self, Upload},
    reference::{ActorStore, SourceBlob},
};
use pds_syntax::Did;
use sha2::{Digest, Sha256};

use super::{Error, Parts, blob_source::Failed, reader::Reader, source::micros};

/// Blobs whose rows are written in one transaction.
const PAGE: u32 = 50;
/// Blobs that are copied at once.
const AT_ONCE: usize = 8;
/// When the object of a copy that was interrupted is deleted; microseconds from its beginning.
const DISCARD_US: i64 = 24 * 3600 * 1_000_000;
/// Lost blobs of one account that are listed one by one.
const LISTED: usize = 100;

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) blobs: u64,
    pub(super) bytes: u64,
    /// Number of blobs whose bytes are not there any more, or are not those of the blob.
    pub(super) lost: u64,
    /// The first of them, with reasons.
    pub(super) listed: Vec<(String, String)>,
}

/// A blob on its way.
struct Copy {
    source: SourceBlob,
    cid: Cid,
    key: BlobKey,
    size: u64,
}

/// Copies all blobs of an account whose records are stored. Blobs that cannot be read are counted: their owner can upload them again.
pub(super) async fn copy(parts: &Parts, id: AccountId, did: &Did) -> Result<Copied, Error> {
    let path = parts.folder.actor_store(did.as_str());
    let store = Reader::new(ActorStore::open(&path)?);
    let (mut copied, mut after) = (Copied::default(), String::new());
    loop {
        let page = store.ask(move |store| store.blobs(&after, PAGE)).await?;
        let Some(last) = page.last() else { return Ok(copied) };
        after = last.cid.clone();
        copy_page(parts, id, did, page, &mut copied).await?;
    }
}

async fn copy_page(
    parts: &Parts,
    id: AccountId,
    did: &Did,
    page: Vec<SourceBlob>,
    copied: &mut Copied,
) -> Result<(), Error> {
    let now = parts.clock.now_us();
    let keyed: Vec<_> = page.into_iter().map(|source| (source, BlobKey::random())).collect();
    // An object that a crash leaves without a row is deleted.
    let mut tx = parts.db.begin().await?;
    for (_, key) in &keyed {
        blob::discard(&mut tx, key.as_str(), now.saturating_add(DISCARD_US)).await?;
    }
    tx.commit().await?;
    let copies = stream::iter(keyed).map(|(source, key)| copy_one(parts, did, source, key)).buffered(AT_ONCE);
    let copies: Vec<_> = copies.try_collect().await?;
    let mut tx = parts.db.begin().await?;
    for copy in copies {
        match copy {
            Ok(copy) => {
                record(&mut tx, id, &copy, now).await?;
                copied.blobs += 1;
                copied.bytes += copy.size;
            }
            Err(lost) => {
                copied.lost += 1;
                if copied.listed.len() < LISTED {
                    copied.listed.push(lost);
                }
            }
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn record(tx: &mut pds_store::Tx, id: AccountId, copy: &Copy, now: i64) -> Result<(), Error> {
    let Copy { source, cid, key, size } = copy;
    let mime = if source.mime_type.is_empty() { "application/octet-stream" } else { &source.mime_type };
    // The time after which a blob is deleted that no record refers to begins now.
    let at = match source.temp_key {
        Some(_) => now,
        None => micros("time of a blob", &source.created_at).unwrap_or(now),
    };
    let upload = Upload { account_id: id, cid: *cid, mime, size: *size, storage_key: key.as_str(), at, quota: None };
    blob::record(tx, &upload).await?;
    if let Some(reference) = &source.takedown_ref {
        blob::set_takedown(tx, id, cid, Some(reference), now).await?;
    }
    Ok(blob::forget_discarded(tx, key.as_str()).await?)
}

/// The copy, or the CID and the reason for which there is none. Only the errors of the blob store and of the reference's bucket end the import.
async fn copy_one(
    parts: &Parts,
    did: &Did,
    source: SourceBlob,
    key: BlobKey,
) -> Result<Result<Copy, (String, String)>, Error> {
    match copy_bytes(parts, did, &source, &key).await {
        Ok((cid, size)) => Ok(Ok(Copy { source, cid, key, size })),
        Err(Failed::Lost(reason)) => Ok(Err((source.cid, reason))),
        Err(Failed::Store(error)) => Err(error.into()),
    }
}

async fn copy_bytes(parts: &Parts, did: &Did, source: &SourceBlob, key: &BlobKey) -> Result<(Cid, u64), Failed> {
    let lost = |reason: &str| Failed::Lost(reason.to_owned());
    let cid: Cid = source.cid.parse().map_err(|_| lost("its CID is not one of a blob"))?;
    let mut pieces = parts.blob_source.open(&parts.folder, did, source).await?;
    let (mut object, mut hash, mut size) = (parts.blobs.begin(key).await?, Sha256::new(), 0u64);
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
        size += piece.len() as u64;
        object.write(piece).await?;
    }
    if hash.finalize()[..] != cid.digest()[..] {
        return Err(lost("its bytes are others"));
    }
    object.finish().await?;
    Ok((cid, size))
}
