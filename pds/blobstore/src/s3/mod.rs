//! Objects in a bucket of any S3 server.

mod bucket;
mod budget;
mod buffer;
mod objects;
mod options;
mod upload;

use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use url::Url;

use crate::{Blob, BlobKey, BlobStore, Error, Link, Result, Upload};
use bucket::{Bucket, status};
pub use buffer::PART_BYTES;
pub use objects::Objects;
pub use options::{Checksum, Credentials, Options};
use upload::S3Upload;

/// Objects in a bucket. Clones share connections and the memory budget of uploads.
#[derive(Debug, Clone)]
pub struct S3(Bucket);

impl S3 {
    /// Prepares the client. Asks neither the server nor, if credentials and a region are given, the environment. See [`BlobStore::health`].
    ///
    /// Without credentials, the AWS environment gives them when they are first needed, as the AWS SDKs find them: variables, profile, web
    /// identity (EKS), container, instance.
    pub async fn connect(options: Options) -> Self {
        Self(Bucket::connect(options).await)
    }
}

#[async_trait]
impl BlobStore for S3 {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        Ok(Box::new(S3Upload::new(self.0.clone(), key.clone())))
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        let out_of_range = || Error::OutOfRange { key: key.clone() };
        if range.as_ref().is_some_and(Range::is_empty) {
            return Err(out_of_range());
        }
        let header = range.as_ref().map(range_header);
        let sent = self.0.client.get_object().bucket(&*self.0.name).key(key.as_str()).set_range(header).send();
        let object = self.0.request("get", key.as_str(), sent).await?.map_err(|error| match status(&error) {
            Some(404) => Error::NotFound { key: key.clone() },
            Some(416) => out_of_range(),
            _ => Error::failed("get", key)(error),
        })?;
        let length = object.content_length().and_then(|length| u64::try_from(length).ok());
        let start = range.map_or(0, |range| range.start);
        let (length, size) = match (length, object.content_range()) {
            (Some(length), None) if start == 0 => (length, length),
            (Some(length), Some(range)) => (length, total(range).ok_or_else(|| no_size("get", key))?),
            _ => return Err(no_size("get", key)),
        };
        Ok(Blob { size, range: start..start + length, stream: pieces(object.body, key.to_string()) })
    }

    async fn link(&self, key: &BlobKey, link: &Link<'_>) -> Result<Option<Url>> {
        let validity = PresigningConfig::expires_in(link.valid).map_err(Error::failed("link", key))?;
        let get = self.0.links.get_object().bucket(&*self.0.name).key(key.as_str());
        let get = get.response_content_type(link.content_type).response_cache_control(link.cache_control);
        let signed = get.response_content_disposition(link.content_disposition).presigned(validity);
        let signed = self.0.request("link", key.as_str(), signed).await?.map_err(Error::failed("link", key))?;
        signed.uri().parse().map(Some).map_err(Error::failed("link", key))
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.0.delete(key).await
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        let sent = self.0.client.head_object().bucket(&*self.0.name).key(key.as_str()).send();
        match self.0.request("exists", key.as_str(), sent).await? {
            Err(error) if status(&error) == Some(404) => Ok(false),
            result => result.map(|_| true).map_err(Error::failed("exists", key)),
        }
    }

    async fn health(&self) -> Result<()> {
        let sent = self.0.client.head_bucket().bucket(&*self.0.name).send();
        self.0.request("health", &self.0.name, sent).await?.map(drop).map_err(Error::failed("health", &self.0.name))
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<u64> {
        let (mut swept, mut key_marker, mut upload_marker) = (0, None, None);
        loop {
            let list = self.0.client.list_multipart_uploads().bucket(&*self.0.name);
            let sent = list.set_key_marker(key_marker).set_upload_id_marker(upload_marker).send();
            let page = self.0.request("sweep", &self.0.name, sent).await?;
            let page = page.map_err(Error::failed("sweep", &self.0.name))?;
            for upload in page.uploads() {
                let begun = upload.initiated().and_then(|time| SystemTime::try_from(*time).ok());
                let (Some(key), Some(id), true) = (upload.key(), upload.upload_id(), begun < Some(begun_before)) else {
                    continue;
                };
                // Other programs have objects in the bucket too, such as the operator's mark below `.aurora-locus/`.
                if key.parse::<BlobKey>().is_err() {
                    continue;
                }
                let abort = self.0.client.abort_multipart_upload().bucket(&*self.0.name).key(key).upload_id(id).send();
                match self.0.request("sweep", key, abort).await? {
                    // Another replica has aborted it already.
                    Err(error) if status(&error) == Some(404) => {}
                    result => {
                        result.map_err(Error::failed("sweep", key))?;
                        swept += 1;
                    }
                }
            }
            if !page.is_truncated().unwrap_or_default() || page.next_key_marker().is_none() {
                return Ok(swept);
            }
            key_marker = page.next_key_marker;
            upload_marker = page.next_upload_id_marker;
        }
    }
}

/// `bytes=5-9` for `5..10`. Servers parse the numbers as i64 and ignore a range that does not fit, so a larger end is omitted.
fn range_header(range: &Range<u64>) -> String {
    match i64::try_from(range.end) {
        Ok(end) => format!("bytes={}-{}", range.start, end - 1),
        Err(_) => format!("bytes={}-", range.start),
    }
}

/// The size of the object in `bytes 5-9/100`: 100.
fn total(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

fn no_size(operation: &'static str, key: &BlobKey) -> Error {
    Error::failed(operation, key)("the response of the server does not contain the size of the object")
}

fn pieces(body: ByteStream, name: String) -> BoxStream<'static, Result<Bytes>> {
    let next = |(mut body, name): (ByteStream, String)| async move {
        match body.try_next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, (body, name)))),
            Err(error) => Err(Error::failed("get", name)(error)),
        }
    };
    stream::try_unfold((body, name), next).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_on_the_wire() {
        assert_eq!(range_header(&(5..10)), "bytes=5-9");
        assert_eq!(range_header(&(5..u64::MAX)), "bytes=5-");
    }

    #[test]
    fn the_total_stands_behind_the_slash() {
        assert_eq!(total("bytes 5-9/100"), Some(100));
        assert_eq!(total("bytes 5-9/*"), None);
        assert_eq!(total("100"), None);
    }
}
