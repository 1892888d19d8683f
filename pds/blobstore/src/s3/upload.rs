//! The upload of one object: in one request up to the size of a part, otherwise in parts.
//!
//! At most two parts are in memory: one is filled while the previous one is sent.

use std::mem;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::bucket::{Bucket, status};
use super::buffer::{Buffer, PART_BYTES};
use crate::{BlobKey, Error, Result, Upload};

/// An object that is being uploaded.
pub(super) struct S3Upload {
    bucket: Bucket,
    key: BlobKey,
    buffer: Buffer,
    size: u64,
    progress: Progress,
    /// A request was sent, so dropping the upload must clean up at the server.
    sent: bool,
}

/// State of the multipart upload, if there is one.
#[derive(Default)]
struct Progress {
    id: Option<String>,
    done: Vec<CompletedPart>,
    in_flight: Option<JoinHandle<Result<CompletedPart>>>,
}

impl S3Upload {
    pub(super) fn new(bucket: Bucket, key: BlobKey) -> Self {
        let buffer = bucket.pool.buffer();
        Self { bucket, key, buffer, size: 0, progress: Progress::default(), sent: false }
    }

    /// Sends the buffer as the next part, after the previous part has arrived.
    async fn send_part(&mut self) -> Result<()> {
        self.wait_for_part().await?;
        let id = match &self.progress.id {
            Some(id) => id.clone(),
            None => self.create_multipart().await?,
        };
        // From 1 to 10,000, which is enough for blobs of 50 GB.
        let number = i32::try_from(self.progress.done.len() + 1).map_err(Error::failed("write", &self.key))?;
        let bytes = self.buffer.freeze();
        let part = send_part(self.bucket.clone(), self.key.clone(), id, number, bytes);
        self.progress.in_flight = Some(tokio::spawn(part.in_current_span()));
        Ok(())
    }

    async fn wait_for_part(&mut self) -> Result<()> {
        // Waits by reference: if this future is dropped, the handle remains for the clean-up.
        if let Some(part) = self.progress.in_flight.as_mut() {
            let part = part.await.map_err(Error::failed("write", &self.key))?;
            self.progress.in_flight = None;
            self.progress.done.push(part?);
        }
        Ok(())
    }

    async fn create_multipart(&mut self) -> Result<String> {
        self.sent = true;
        let bucket = &self.bucket;
        let create = bucket.client.create_multipart_upload().bucket(&*bucket.name).key(self.key.as_str());
        let create = create.set_checksum_algorithm(bucket.checksum.clone()).send();
        let created = bucket.request("begin", self.key.as_str(), create).await?;
        let created = created.map_err(Error::failed("begin", &self.key))?;
        let no_id = || Error::failed("begin", &self.key)("the server gave no upload id");
        let id = created.upload_id.ok_or_else(no_id)?;
        self.progress.id = Some(id.clone());
        Ok(id)
    }

    async fn complete(&mut self, id: String) -> Result<()> {
        if self.buffer.len() > 0 {
            self.send_part().await?;
        }
        self.wait_for_part().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(mem::take(&mut self.progress.done))).build();
        let complete = self.bucket.client.complete_multipart_upload().bucket(&*self.bucket.name);
        let sent = complete.key(self.key.as_str()).upload_id(id).multipart_upload(parts).send();
        // Servers assemble the parts before they respond, so this takes as long as an upload.
        self.bucket.upload(&self.key, sent).await?.map(drop).map_err(Error::failed("finish", &self.key))
    }

    async fn put_whole(&mut self) -> Result<()> {
        self.sent = true;
        let body = ByteStream::from(self.buffer.freeze());
        let put = self.bucket.client.put_object().bucket(&*self.bucket.name).key(self.key.as_str()).body(body).send();
        self.bucket.upload(&self.key, put).await?.map(drop).map_err(Error::failed("finish", &self.key))
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        while !chunk.is_empty() {
            // Only if more bytes follow: an object of the size of a part is sent in one request.
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
            let piece = chunk.split_to(chunk.len().min(PART_BYTES - self.buffer.len()));
            self.bucket.budget.reserve(piece.len(), &mut self.buffer.reserved, &self.key).await?;
            self.buffer.extend(&piece).await;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<u64> {
        match self.progress.id.clone() {
            Some(id) => self.complete(id).await?,
            None => self.put_whole().await?,
        }
        self.sent = false;
        Ok(self.size)
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        if !mem::take(&mut self.sent) {
            return;
        }
        let (bucket, key, progress) = (self.bucket.clone(), self.key.clone(), mem::take(&mut self.progress));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(clean_up(bucket, key, progress))),
            Err(_) => {
                tracing::warn!(%key, "an unfinished upload of {key} remains in the bucket until the next sweep: the runtime is shutting down")
            }
        }
    }
}

/// Deletes what the server has of an unfinished upload. If this fails, the sweep deletes it later.
async fn clean_up(bucket: Bucket, key: BlobKey, progress: Progress) {
    if let Some(part) = progress.in_flight {
        // Some servers keep a part that arrives after the abort, where no list of uploads shows it. Ending the request is not enough, since the
        // server may have all its bytes. The upload timeout bounds the wait.
        let _ = part.await;
    }
    if let Some(id) = progress.id {
        let abort = bucket.client.abort_multipart_upload().bucket(&*bucket.name).key(key.as_str()).upload_id(id).send();
        match bucket.request("abort", key.as_str(), abort).await {
            Ok(Err(error)) if status(&error) == Some(404) => {}
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%key, %error, "an unfinished upload of {key} remains in the bucket until the next sweep")
            }
            Err(error) => {
                tracing::warn!(%key, %error, "an unfinished upload of {key} remains in the bucket until the next sweep")
            }
        }
    }
    // The last request may have succeeded although its response was lost. No record refers to this key yet, so the object can be deleted.
    if let Err(error) = bucket.delete(&key).await {
        tracing::warn!(%key, %error, "the object {key} of an unfinished upload may remain in the bucket");
    }
}

async fn send_part(bucket: Bucket, key: BlobKey, id: String, number: i32, bytes: Bytes) -> Result<CompletedPart> {
    let part = bucket.client.upload_part().bucket(&*bucket.name).key(key.as_str()).upload_id(id).part_number(number);
    let part = part.set_checksum_algorithm(bucket.checksum.clone());
    let sent = bucket.upload(&key, part.body(ByteStream::from(bytes)).send()).await?;
    let sent = sent.map_err(Error::failed("write", &key))?;
    let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
    Ok(part.set_checksum_crc32(sent.checksum_crc32).build())
}
