//! The bucket in which the reference has its blobs, from the reference's settings.

use anyhow::Context;
use pds_blobstore::S3Objects;
use pds_config::{BlobStore, CaBundle, S3Credentials, Settings, var};

use super::{super::failure::Refusal, env_file::EnvFile};
use crate::outside::s3_options;

/// Names of the settings of the bucket, which are the same here and there.
const PREFIX: &str = "PDS_BLOBSTORE_S3_";
/// Nothing has this name. A bucket that says so is readable.
const NOTHING: &str = "blocks/none";

/// The bucket, after a look whether it can be read; `None` if the blobs are elsewhere. `file` names the file of the settings.
pub(super) async fn open(
    theirs: &EnvFile,
    file: &str,
    ca_bundle: Option<&CaBundle>,
) -> anyhow::Result<Option<S3Objects>> {
    let lookup = |name: &str| theirs.get(name).filter(|_| name.starts_with(PREFIX)).map(str::to_owned);
    let wrong = |problems: String| Refusal::OtherSettings { problems: format!("in {file}: {problems}") };
    let read = Settings::from_values(lookup).map_err(|errors| wrong(errors.to_string()))?;
    let BlobStore::S3(s3) = read.blob.store else { return Ok(None) };
    let [id, secret] = [var::BLOBSTORE_S3_ACCESS_KEY_ID, var::BLOBSTORE_S3_SECRET_ACCESS_KEY].map(lookup);
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(S3Credentials { access_key_id: id.into(), secret_access_key: secret.into() }),
        (None, None) => None,
        _ => {
            let (id, secret) = (var::BLOBSTORE_S3_ACCESS_KEY_ID, var::BLOBSTORE_S3_SECRET_ACCESS_KEY);
            return Err(wrong(format!("{id} and {secret} are required together")).into());
        }
    };
    let objects = S3Objects::connect(s3_options(&s3, keys.as_ref(), ca_bundle)).await;
    let readable = || {
        format!(
            "read the bucket {} with the blobs of the reference, as {file} says; the credentials need s3:GetObject and s3:ListBucket",
            s3.bucket
        )
    };
    objects.open(NOTHING).await.with_context(readable)?;
    Ok(Some(objects))
}
