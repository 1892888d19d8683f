//! Tries whether the gateway keeps the user of one bucket away from the others.
//!
//! Versity Gateway up to 1.8.0 stores objects as files and follows `..` in the id of an upload and in the keys of a deletion of several objects. Whoever
//! may write to one bucket can then delete any other bucket, and files beside the gateway's data. No bucket policy prevents it. The check uses the
//! administrator's credential and touches nothing outside the operator's own folder of the new bucket.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::Error;
use crate::bucket::{Buckets, Found};
use crate::error::{failed, status};

/// Whether a gateway that lets the user of one bucket reach others is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// No bucket is handed out there.
    #[default]
    Required,
    /// All tenants of the gateway trust each other. Nothing is tried.
    Waived,
}

const BY_UPLOAD: &str = ".aurora-locus/isolation/upload";
/// From the folder of an upload, which is `.sgwtmp/multipart/HASH` in the bucket, to the folder of the object above.
const UPLOAD_ID: &str = "../../../.aurora-locus/isolation";
const BY_KEY: &str = ".aurora-locus/isolation/key";
const KEY: &str = "isolation/../.aurora-locus/isolation/key";

/// Refuses a gateway that follows `..`.
pub(super) async fn check(buckets: &Buckets, bucket: &str) -> Result<(), Error> {
    let leaves_by = if follows_upload_ids(buckets, bucket).await? {
        Some("the id of an upload")
    } else if follows_keys(buckets, bucket).await? {
        Some("the keys of DeleteObjects")
    } else {
        None
    };
    match leaves_by {
        None => Ok(()),
        Some(leaves_by) => {
            Err(Error::NotIsolated { place: buckets.place().to_owned(), bucket: bucket.to_owned(), leaves_by })
        }
    }
}

async fn follows_upload_ids(buckets: &Buckets, bucket: &str) -> Result<bool, Error> {
    buckets.write(bucket, BY_UPLOAD, b"isolation".to_vec(), false).await?;
    let abort = buckets.client().abort_multipart_upload().bucket(bucket).key("isolation").upload_id(UPLOAD_ID);
    if let Err(error) = abort.send().await
        && !is_refusal(status(&error))
    {
        return Err(failed(format!("abort an upload of bucket {bucket}"), buckets.place(), &error));
    }
    is_gone(buckets, bucket, BY_UPLOAD).await
}

async fn follows_keys(buckets: &Buckets, bucket: &str) -> Result<bool, Error> {
    buckets.write(bucket, BY_KEY, b"isolation".to_vec(), false).await?;
    let what = format!("delete objects of bucket {bucket}");
    let cannot = |error| Error::Unavailable(format!("cannot {what}: {error}"));
    let object = ObjectIdentifier::builder().key(KEY).build().map_err(cannot)?;
    let list = Delete::builder().objects(object).quiet(true).build().map_err(cannot)?;
    if let Err(error) = buckets.client().delete_objects().bucket(bucket).delete(list).send().await
        && !is_refusal(status(&error))
    {
        return Err(failed(&what, buckets.place(), &error));
    }
    is_gone(buckets, bucket, BY_KEY).await
}

/// Whether the object was deleted; deletes it otherwise.
async fn is_gone(buckets: &Buckets, bucket: &str, key: &str) -> Result<bool, Error> {
    let is_gone = !matches!(buckets.read(bucket, key).await?, Found::Object(_) | Found::TooLarge);
    if !is_gone {
        buckets.delete_object(bucket, key).await?;
    }
    Ok(is_gone)
}

/// Whether the gateway, or a proxy before it, does not take the request.
fn is_refusal(status: Option<u16>) -> bool {
    matches!(status, Some(400..=499))
}
