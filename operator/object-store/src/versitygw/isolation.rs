//! Tries whether the gateway keeps the user of one bucket away from the others.
//!
//! Versity Gateway up to 1.8.0 stores objects as files and follows `..` in the id of an upload and in the keys of a deletion of several objects. Whoever
//! may write to one bucket can then delete any other bucket, and files beside the gateway's data. No bucket policy prevents it. The check uses the
//! administrator's credential and touches nothing outside the operator's own folder of the new bucket.

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};

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
/// The file of the first part in that folder.
const BY_PART: &str = ".aurora-locus/isolation/1";
/// The object that the upload would make.
const UPLOADED: &str = "isolation";
const CONTENT: &[u8] = b"isolation";
/// The ETag of an object of that content.
const CONTENT_MD5: &str = "4dd3b03fa4bcecf34c516ebfc43e7719";
const BY_KEY: &str = ".aurora-locus/isolation/key";
const KEY: &str = "isolation/../.aurora-locus/isolation/key";

/// A way to write the query of a request. The gateway understands all of them alike; a proxy that compares texts knows one.
type Spelling = fn(&str) -> String;

/// As usual, with an encoded name, with the parameter twice, behind another one, and with other encodings of the path.
const OF_UPLOAD_IDS: [Spelling; 7] = [
    str::to_owned,
    |query| query.replace("uploadId=", "%75ploadId="),
    |query| query.replace("uploadId=", "uploadId=0&uploadId="),
    |query| format!("{query}&uploadId=0"),
    |query| format!("a=&{query}"),
    |query| query.replace("%2F", "/"),
    |query| query.replace("..", "%2E%2E"),
];
/// As usual, with an encoded name, with a value, behind another parameter and before one.
const OF_DELETIONS: [Spelling; 5] = [
    str::to_owned,
    |query| query.replacen("delete", "%64elete", 1),
    |query| query.replacen("delete", "delete=", 1).replacen("==", "=", 1),
    |query| format!("a=&{query}"),
    |query| format!("{query}&a="),
];

/// Refuses a gateway that follows `..`, and a proxy before it that lets one of the spellings of such a request pass.
pub(super) async fn check(buckets: &Buckets, bucket: &str) -> Result<(), Error> {
    let refused =
        |leaves_by| Err(Error::NotIsolated { place: buckets.place().to_owned(), bucket: bucket.to_owned(), leaves_by });
    for by in ByUpload::ALL {
        for spelling in OF_UPLOAD_IDS {
            if follows_upload_ids(buckets, bucket, by, spelling).await? {
                return refused("the id of an upload");
            }
        }
    }
    for spelling in OF_DELETIONS {
        if follows_keys(buckets, bucket, spelling).await? {
            return refused("the keys of DeleteObjects");
        }
    }
    Ok(())
}

/// Writes the query of a request in another way. To be called before the request is signed.
fn spelled(request: &mut HttpRequest, spelling: Spelling) {
    if let Some((path, query)) = request.uri().split_once('?') {
        let uri = format!("{path}?{}", spelling(query));
        // A URI that is not valid is one that nobody can ask for.
        let _ = request.set_uri(uri);
    }
}

/// A request with the id of an upload.
#[derive(Clone, Copy, Debug)]
enum ByUpload {
    Abort,
    List,
    Part,
    Complete,
}

impl ByUpload {
    const ALL: [Self; 4] = [Self::Abort, Self::List, Self::Part, Self::Complete];
}

/// Whether the request is carried out in the folder that the id names.
async fn follows_upload_ids(buckets: &Buckets, bucket: &str, by: ByUpload, spelling: Spelling) -> Result<bool, Error> {
    let respell = move |request: &mut HttpRequest| spelled(request, spelling);
    let client = buckets.client();
    // The folder exists as long as there is an object in it.
    buckets.write(bucket, BY_UPLOAD, CONTENT.to_vec(), false).await?;
    let answer = match by {
        ByUpload::Abort => {
            let abort = client.abort_multipart_upload().bucket(bucket).key(UPLOADED).upload_id(UPLOAD_ID);
            answer(abort.customize().mutate_request(respell).send().await, buckets, bucket)?
        }
        ByUpload::List => {
            let list = client.list_parts().bucket(bucket).key(UPLOADED).upload_id(UPLOAD_ID);
            answer(list.customize().mutate_request(respell).send().await, buckets, bucket)?
        }
        ByUpload::Part => {
            let part = client.upload_part().bucket(bucket).key(UPLOADED).upload_id(UPLOAD_ID).part_number(1);
            answer(
                part.body(CONTENT.to_vec().into()).customize().mutate_request(respell).send().await,
                buckets,
                bucket,
            )?
        }
        ByUpload::Complete => {
            let part = CompletedPart::builder().part_number(2).e_tag(CONTENT_MD5).build();
            let parts = CompletedMultipartUpload::builder().parts(part).build();
            let complete = client.complete_multipart_upload().bucket(bucket).key(UPLOADED).upload_id(UPLOAD_ID);
            let complete = complete.multipart_upload(parts).customize().mutate_request(respell);
            answer(complete.send().await, buckets, bucket)?
        }
    };
    let (is_gone, has_part) = (is_gone(buckets, bucket, BY_UPLOAD).await?, !is_gone(buckets, bucket, BY_PART).await?);
    Ok(match by {
        ByUpload::Abort => is_gone,
        ByUpload::Part => has_part,
        // The part is looked for in the folder, and is not there. A gateway that does not look there says NoSuchUpload.
        ByUpload::List | ByUpload::Complete => matches!(answer, Answer::Done | Answer::NoSuchPart),
    })
}

/// Whether a request was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    NoSuchPart,
    Refused,
}

fn answer<T, E>(sent: Result<T, SdkError<E>>, buckets: &Buckets, bucket: &str) -> Result<Answer, Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match sent {
        Ok(_) => Ok(Answer::Done),
        Err(error) if error.code() == Some("InvalidPart") => Ok(Answer::NoSuchPart),
        // The gateway, or a proxy before it, does not take the request.
        Err(error) if matches!(status(&error), Some(400..=499)) => Ok(Answer::Refused),
        Err(error) => Err(failed(format!("try the isolation of bucket {bucket}"), buckets.place(), &error)),
    }
}

async fn follows_keys(buckets: &Buckets, bucket: &str, spelling: Spelling) -> Result<bool, Error> {
    buckets.write(bucket, BY_KEY, CONTENT.to_vec(), false).await?;
    let what = format!("delete objects of bucket {bucket}");
    let cannot = |error| Error::Unavailable(format!("cannot {what}: {error}"));
    let object = ObjectIdentifier::builder().key(KEY).build().map_err(cannot)?;
    let list = Delete::builder().objects(object).quiet(true).build().map_err(cannot)?;
    let deletion = buckets.client().delete_objects().bucket(bucket).delete(list).customize();
    answer(deletion.mutate_request(move |request| spelled(request, spelling)).send().await, buckets, bucket)?;
    is_gone(buckets, bucket, BY_KEY).await
}

/// Whether there is no such object; deletes it otherwise.
async fn is_gone(buckets: &Buckets, bucket: &str, key: &str) -> Result<bool, Error> {
    let is_gone = !matches!(buckets.read(bucket, key).await?, Found::Object(_) | Found::TooLarge);
    if !is_gone {
        buckets.delete_object(bucket, key).await?;
    }
    Ok(is_gone)
}
