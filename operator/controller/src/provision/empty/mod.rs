//! Empties a bucket: unfinished uploads, every version, every delete marker.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::bucket::failed;
use super::{Bucket, Error};

#[cfg(test)]
mod tests;

impl Bucket {
    /// Deletes everything in the bucket. Whoever calls sees to it that nobody writes meanwhile.
    pub(super) async fn empty(&self, bucket: &str) -> Result<(), Error> {
        self.abort_uploads(bucket).await?;
        let mut before = Vec::new();
        loop {
            let found = match self.versions(bucket).await? {
                Some(versions) => versions,
                None => self.objects(bucket).await?,
            };
            if found.is_empty() {
                return Ok(());
            }
            if found == before {
                return Err(kept("delete objects"));
            }
            self.delete_objects(bucket, found.clone()).await?;
            before = found;
        }
    }

    /// Each round takes what the first page shows, until nothing is left.
    async fn abort_uploads(&self, bucket: &str) -> Result<(), Error> {
        let mut before = Vec::new();
        loop {
            let page = self.client().list_multipart_uploads().bucket(bucket).send().await;
            let found = page.map_err(|error| failed("list uploads", &error))?.uploads.unwrap_or_default();
            if found.is_empty() {
                return Ok(());
            }
            if found == before {
                return Err(kept("abort uploads"));
            }
            for upload in &found {
                let abort = self.client().abort_multipart_upload().bucket(bucket);
                let abort = abort.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone()).send().await;
                match abort {
                    Err(error) if error.code() != Some("NoSuchUpload") => {
                        return Err(failed("abort an upload", &error));
                    }
                    _ => {}
                }
            }
            before = found;
        }
    }

    /// A page of versions and delete markers; nothing if the service knows no versions.
    async fn versions(&self, bucket: &str) -> Result<Option<Vec<ObjectIdentifier>>, Error> {
        let page = match self.client().list_object_versions().bucket(bucket).send().await {
            Ok(page) => page,
            Err(error) if matches!(error.code(), Some("NotImplemented" | "MethodNotAllowed")) => return Ok(None),
            Err(error) => return Err(failed("list versions", &error)),
        };
        let versions = page.versions().iter().map(|found| (found.key(), found.version_id()));
        let markers = page.delete_markers().iter().map(|found| (found.key(), found.version_id()));
        identifiers(versions.chain(markers)).map(Some)
    }

    async fn objects(&self, bucket: &str) -> Result<Vec<ObjectIdentifier>, Error> {
        let page = self.client().list_objects_v2().bucket(bucket).send().await;
        let page = page.map_err(|error| failed("list objects", &error))?;
        identifiers(page.contents().iter().map(|object| (object.key(), None)))
    }

    async fn delete_objects(&self, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Error> {
        let what = "delete objects";
        let list = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let list = list.map_err(|error| Error::Service { what, message: error.to_string() })?;
        let gone = self.client().delete_objects().bucket(bucket).delete(list).send().await;
        let gone = gone.map_err(|error| failed(what, &error))?;
        match gone.errors().first() {
            Some(error) => {
                let (key, why) = (error.key().unwrap_or_default(), error.message().unwrap_or("no reason given"));
                Err(Error::Service { what, message: format!("{key}: {why}") })
            }
            None => Ok(()),
        }
    }
}

/// Otherwise a service that says yes and does nothing would be asked for ever.
fn kept(what: &'static str) -> Error {
    Error::Service { what, message: "the service says that it is done, and still lists them".to_owned() }
}

fn identifiers<'a>(
    found: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Result<Vec<ObjectIdentifier>, Error> {
    let build = |(key, version): (Option<&str>, Option<&str>)| {
        ObjectIdentifier::builder().set_key(key.map(Into::into)).set_version_id(version.map(Into::into)).build()
    };
    let all: Result<Vec<_>, _> = found.map(build).collect();
    all.map_err(|error| Error::Service { what: "list the bucket", message: error.to_string() })
}
