//! Writing one object: up to a part's size in one request, above it in parts.
//!
//! At most two parts are in memory: one that fills while the one before it is on its way.

use std::mem;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::bucket::{Bucket, status};
use super::buffer::{Buffer, PART_BYTES};
use crate::{BlobKey, Error, Result, Upload};

/// An object on its way into the bucket.
pub(super) struct S3Upload {
    bucket: Bucket,
    key: BlobKey,
    buffer: Buffer,
    size: u64,
    progress: Progress,
    /// Something may be at the server: dropping has to clean up.
    sent: bool,
}

/// The multipart upload, once there is one.
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

    /// Sends the buffer as the next part, after the one before has arrived.
    async fn send_part(&mut self) -> Result<()> {
        self.wait_for_part().await?;
        let id = match &self.progress.id {
            Some(id) => id.clone(),
            None => self.create_multipart().await?,
        };
        // Counted from 1, at most 10,000: more than enough for any limit on blobs.
        let number = i32::try_from(self.progress.done.len() + 1).map_err(Error::failed("write", &self.key))?;
        let bytes = self.buffer.freeze();
        let part = send_part(self.bucket.clone(), self.key.clone(), id, number, bytes);
        self.progress.in_flight = Some(tokio::spawn(part));
        Ok(())
    }

    async fn wait_for_part(&mut self) -> Result<()> {
        // Waiting by reference: if this future is dropped, the handle stays for the clean-up.
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
        // Servers put the parts together before they answer, so the time is that of an upload.
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
            // Only when more follows: what fits into one part goes in one request.
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
            Err(_) => tracing::warn!(%key, "left an unfinished upload to the sweep: no runtime"),
        }
    }
}

/// Removes whatever the server has of an upload that did not finish. What fails here is left to the sweep.
async fn clean_up(bucket: Bucket, key: BlobKey, progress: Progress) {
    if let Some(part) = progress.in_flight {
        // A part that arrives after the abort would stay for ever.
        part.abort();
        let _ = part.await;
    }
    if let Some(id) = progress.id {
        let abort = bucket.client.abort_multipart_upload().bucket(&*bucket.name).key(key.as_str()).upload_id(id).send();
        match bucket.request("abort", key.as_str(), abort).await {
            Ok(Err(error)) if status(&error) == Some(404) => {}
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%key, %error, "left an unfinished upload to the sweep"),
            Err(error) => tracing::warn!(%key, %error, "left an unfinished upload to the sweep"),
        }
    }
    // The last request may have succeeded although its answer was lost. Nobody knows the key, so it may go.
    if let Err(error) = bucket.delete(&key).await {
        tracing::warn!(%key, %error, "could not make sure that an unfinished upload left no object");
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
