//! Buckets, by the S3 protocol alone.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    self, BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{CreateBucketConfiguration, Tag};
use operator_api::S3Class;
use secrecy::ExposeSecret;

use super::{Credential, Error};

/// The tag that says whose a bucket is.
pub(super) const OWNER_TAG: &str = "auroralocus.dev/owner";

/// The region for signing.
pub(super) fn region(class: &S3Class) -> String {
    class.region.clone().unwrap_or_else(|| "us-east-1".into())
}

/// The buckets that one credential reaches.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
}

impl Bucket {
    /// Prepares a client; asks nothing.
    #[must_use]
    pub fn new(class: &S3Class, credential: &Credential) -> Self {
        let secret = credential.secret_access_key.expose_secret();
        let keys = Credentials::new(&credential.access_key_id, secret, None, None, "class");
        let seconds = Duration::from_secs;
        let timeouts = TimeoutConfig::builder().connect_timeout(seconds(3)).operation_timeout(seconds(15)).build();
        let config = config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(keys)
            .region(Region::new(region(class)))
            .endpoint_url(&class.endpoint)
            .force_path_style(class.path_style.unwrap_or(true))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// Makes the bucket with its owner's tag in one request; refuses one that is there with another.
    pub(super) async fn ensure(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        if let Some(found) = self.owner(bucket).await? {
            let not_owned = || Error::NotOwned { bucket: bucket.into(), owner: owner.into() };
            return if found == owner { Ok(()) } else { Err(not_owned()) };
        }
        let tag = Tag::builder().key(OWNER_TAG).value(owner).build();
        let tag = tag.map_err(|error| Error::Service { what: "create bucket", message: error.to_string() })?;
        let options = CreateBucketConfiguration::builder().tags(tag).build();
        let made = self.client.create_bucket().bucket(bucket).create_bucket_configuration(options).send().await;
        made.map_err(|error| failed("create bucket", &error))?;
        // A service that ignores tags of a new bucket is found out here, before anything is stored.
        match self.owner(bucket).await? {
            Some(found) if found == owner => Ok(()),
            _ => Err(Error::Service { what: "create bucket", message: "the service dropped its tag".into() }),
        }
    }

    /// Whether this credential reaches the bucket.
    pub(super) async fn reaches(&self, bucket: &str) -> Result<bool, Error> {
        match self.client.head_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(true),
            Err(error) if matches!(status(&error), Some(400 | 401 | 403 | 404)) => Ok(false),
            Err(error) => Err(failed("look at the bucket with the instance's credential", &error)),
        }
    }

    /// Sets the policy, unless it is that already.
    pub(super) async fn ensure_policy(&self, bucket: &str, policy: &serde_json::Value) -> Result<(), Error> {
        match self.client.get_bucket_policy().bucket(bucket).send().await {
            Ok(found) => {
                let found = found.policy().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
                if found.as_ref() == Some(policy) {
                    return Ok(());
                }
            }
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => {}
            Err(error) => return Err(failed("read the bucket policy", &error)),
        }
        let put = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await;
        put.map(drop).map_err(|error| failed("write the bucket policy", &error))
    }

    /// Deletes an owned bucket with everything in it. One that is another's is left alone, which gives false.
    pub(super) async fn delete(&self, bucket: &str, owner: &str) -> Result<bool, Error> {
        match self.owner(bucket).await? {
            None => return Ok(true),
            Some(found) if found != owner => return Ok(false),
            Some(_) => {}
        }
        self.empty(bucket).await?;
        match self.client.delete_bucket().bucket(bucket).send().await {
            Err(error) if error.code() != Some("NoSuchBucket") => Err(failed("delete bucket", &error)),
            _ => Ok(true),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whose the bucket is: `None` if there is no such bucket, empty if it has no tag.
    async fn owner(&self, bucket: &str) -> Result<Option<String>, Error> {
        match self.client.get_bucket_tagging().bucket(bucket).send().await {
            Ok(tags) => {
                let tag = tags.tag_set().iter().find(|tag| tag.key() == OWNER_TAG);
                Ok(Some(tag.map(|tag| tag.value().to_owned()).unwrap_or_default()))
            }
            Err(error) if error.code() == Some("NoSuchBucket") => Ok(None),
            Err(error) if error.code() == Some("NoSuchTagSet") => Ok(Some(String::new())),
            Err(error) => Err(failed("read the bucket's tags", &error)),
        }
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

pub(super) fn failed<E>(what: &'static str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let message = match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        _ => DisplayErrorContext(error).to_string(),
    };
    if matches!(status(error), Some(401 | 403)) {
        Error::Refused { what, message }
    } else {
        Error::Service { what, message }
    }
}
