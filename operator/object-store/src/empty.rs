//! Empties a bucket: unfinished uploads, every version, every delete marker; the owner's marker last.

use std::time::Instant;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::Error;
use crate::bucket::Buckets;
use crate::error::{failed, status};
use crate::limits::one_line;
use crate::marker::MARKER_KEY;

/// A page of what is in a bucket.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<ObjectIdentifier>,
    truncated: bool,
}

impl Buckets {
    /// Deletes everything in the bucket. The caller sees to it that nobody writes meanwhile.
    ///
    /// The marker goes last: a process that dies before leaves a bucket that still has its owner.
    /// False if that took until `until` and something is left.
    pub(crate) async fn empty(&self, bucket: &str, until: Instant) -> Result<bool, Error> {
        Ok(self.abort_uploads(bucket, until).await?
            && self.delete_all(bucket, true, until).await?
            && self.delete_all(bucket, false, until).await?)
    }

    async fn delete_all(&self, bucket: &str, keep_marker: bool, until: Instant) -> Result<bool, Error> {
        let mut before = Vec::new();
        loop {
            let mut page = self.page(bucket, None).await?;
            if keep_marker {
                page.objects.retain(|object| object.key() != MARKER_KEY);
                if page.objects.is_empty() && page.truncated {
                    page = self.page(bucket, Some(MARKER_KEY)).await?;
                }
            }
            if page.objects.is_empty() {
                return Ok(true);
            }
            if page.objects == before {
                return Err(self.kept(bucket, "delete the objects"));
            }
            self.delete_objects(bucket, page.objects.clone(), until).await?;
            if Instant::now() >= until {
                return Ok(false);
            }
            before = page.objects;
        }
    }

    /// Each round takes what the first page shows, until nothing is left.
    async fn abort_uploads(&self, bucket: &str, until: Instant) -> Result<bool, Error> {
        let mut before = Vec::new();
        loop {
            let page = match self.client().list_multipart_uploads().bucket(bucket).send().await {
                Ok(page) => page,
                Err(error) if is_not_implemented(error.code()) => return Ok(true),
                Err(error) => {
                    return Err(failed(format!("list the uploads of bucket {bucket}"), self.place(), &error));
                }
            };
            let found = page.uploads.unwrap_or_default();
            if found.is_empty() {
                return Ok(true);
            }
            if found == before {
                return Err(self.kept(bucket, "abort the uploads"));
            }
            for upload in &found {
                let abort = self.client().abort_multipart_upload().bucket(bucket);
                let abort = abort.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone()).send().await;
                match abort {
                    Err(error) if error.code() != Some("NoSuchUpload") => {
                        return Err(failed(format!("abort an upload of bucket {bucket}"), self.place(), &error));
                    }
                    _ => {}
                }
                if Instant::now() >= until {
                    return Ok(false);
                }
            }
            before = found;
        }
    }

    /// What the bucket holds: versions and delete markers, or objects if the service knows no versions.
    async fn page(&self, bucket: &str, after: Option<&str>) -> Result<Page, Error> {
        match self.versions(bucket, after).await? {
            Some(page) => Ok(page),
            None => self.objects(bucket, after).await,
        }
    }

    /// A page of versions and delete markers; nothing if the service knows no versions.
    pub(crate) async fn versions(&self, bucket: &str, after: Option<&str>) -> Result<Option<Page>, Error> {
        let list = self.client().list_object_versions().bucket(bucket).set_key_marker(after.map(Into::into));
        let page = match list.send().await {
            Ok(page) => page,
            Err(error) if is_not_implemented(error.code()) => return Ok(None),
            Err(error) => return Err(failed(format!("list the versions in bucket {bucket}"), self.place(), &error)),
        };
        let versions = page.versions().iter().map(|found| (found.key(), found.version_id()));
        let markers = page.delete_markers().iter().map(|found| (found.key(), found.version_id()));
        let objects = self.identifiers(bucket, versions.chain(markers))?;
        Ok(Some(Page { objects, truncated: page.is_truncated().unwrap_or_default() }))
    }

    async fn objects(&self, bucket: &str, after: Option<&str>) -> Result<Page, Error> {
        let page = self.client().list_objects_v2().bucket(bucket).set_start_after(after.map(Into::into)).send().await;
        let page = page.map_err(|error| failed(format!("list bucket {bucket}"), self.place(), &error))?;
        let objects = self.identifiers(bucket, page.contents().iter().map(|object| (object.key(), None)))?;
        Ok(Page { objects, truncated: page.is_truncated().unwrap_or_default() })
    }

    /// Deletes the objects, or as many of them as can be deleted until `until` where the service deletes only one at a time.
    async fn delete_objects(&self, bucket: &str, objects: Vec<ObjectIdentifier>, until: Instant) -> Result<(), Error> {
        let what = format!("delete objects of bucket {bucket}");
        let list = Delete::builder().set_objects(Some(objects.clone())).quiet(true).build();
        let list = list.map_err(|error| Error::Unavailable(format!("cannot {what}: {error}")))?;
        let gone = match self.client().delete_objects().bucket(bucket).delete(list).send().await {
            Ok(gone) => gone,
            // Not every service deletes several at once, and a proxy may refuse it: its keys are in the body, where few proxies look.
            Err(error) if is_not_implemented(error.code()) || matches!(status(&error), Some(403 | 405 | 501)) => {
                return self.delete_one_by_one(bucket, objects, until).await;
            }
            Err(error) => return Err(failed(&what, self.place(), &error)),
        };
        let Some(error) = gone.errors().first() else { return Ok(()) };
        let key = one_line(error.key().unwrap_or_default());
        let why = one_line(error.message().or(error.code()).unwrap_or("no reason given"));
        let place = self.place();
        Err(Error::Unavailable(format!("the object store at {place} was asked to {what} and kept {key:?}: {why}")))
    }

    async fn delete_one_by_one(
        &self,
        bucket: &str,
        objects: Vec<ObjectIdentifier>,
        until: Instant,
    ) -> Result<(), Error> {
        for ObjectIdentifier { key, version_id, .. } in objects {
            let what = format!("delete {} of bucket {bucket}", one_line(&key));
            let gone = self.client().delete_object().bucket(bucket).key(key).set_version_id(version_id).send().await;
            gone.map_err(|error| failed(what, self.place(), &error))?;
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// The error for a service that confirms a deletion and still lists the objects. Without it the loop would never end.
    fn kept(&self, bucket: &str, what: &str) -> Error {
        let place = self.place();
        Error::Unavailable(format!(
            "the object store at {place} was asked to {what} of bucket {bucket}, says that it did, and still lists them"
        ))
    }

    fn identifiers<'a>(
        &self,
        bucket: &str,
        found: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
    ) -> Result<Vec<ObjectIdentifier>, Error> {
        let build = |(key, version): (Option<&str>, Option<&str>)| {
            ObjectIdentifier::builder().set_key(key.map(Into::into)).set_version_id(version.map(Into::into)).build()
        };
        let all: Result<Vec<_>, _> = found.map(build).collect();
        let place = self.place();
        all.map_err(|_| {
            Error::Unavailable(format!("the object store at {place} lists an object without a key in bucket {bucket}"))
        })
    }
}

fn is_not_implemented(code: Option<&str>) -> bool {
    matches!(code, Some("NotImplemented" | "MethodNotAllowed"))
}
