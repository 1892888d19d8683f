//! Objects that another program has put into a bucket, under names of its own. Only read.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use bytes::Bytes;
use futures::stream::BoxStream;

use super::bucket::{Bucket, status};
use super::{Options, pieces};
use crate::{Error, Result};

/// A bucket whose objects are read by name. Clones share connections.
#[derive(Debug, Clone)]
pub struct Objects(Bucket);

impl Objects {
    /// As [`super::S3::connect`].
    pub async fn connect(options: Options) -> Self {
        Self(Bucket::connect(options).await)
    }

    /// Opens an object: its bytes in pieces of any size. `None` if there is none with this name.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn open(&self, name: &str) -> Result<Option<BoxStream<'static, Result<Bytes>>>> {
        let sent = self.0.client.get_object().bucket(&*self.0.name).key(name).send();
        match self.0.request("get", name, sent).await? {
            Ok(object) => Ok(Some(pieces(object.body, name.to_owned()))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(Error::failed("get", name)(error)),
        }
    }
}

/// That the bucket is missing is another answer with the same status.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    status(error) == Some(404) && error.code() != Some("NoSuchBucket")
}
