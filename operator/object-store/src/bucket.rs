//! Buckets and their objects, by the S3 protocol alone.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag};
use serde_json::Value;

use crate::bucket_owner::BucketOwner;
use crate::error::{failed, status, unreachable};
use crate::marker::MOST_BYTES;
use crate::{Error, Service};

/// A tag of a new bucket: the fingerprint of its maker. Serves only until the marker is written, and only where the service knows tags.
const MAKER_TAG: &str = "aurora-locus-maker";

/// The buckets that one credential reaches.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    client: Client,
    /// Creates buckets: the one request that names no owner.
    creator: Client,
    /// The account that every bucket must belong to, where the service has accounts.
    account: Option<String>,
    place: String,
}

/// Result of reading one object.
#[derive(Debug)]
pub(crate) enum Found {
    NoBucket,
    NoObject,
    Object(Vec<u8>),
    /// The object is larger than the number of bytes that is read.
    TooLarge,
}

/// What a service says of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The key pair is right, whatever it may do.
    Works,
    UnknownKey,
    WrongSecret,
}

impl Buckets {
    pub(crate) fn new(service: &Service, keys: SharedCredentialsProvider) -> Result<Self, Error> {
        let client = service.client(keys)?;
        Ok(Self { creator: client.clone(), client, account: None, place: service.place() })
    }

    /// The same, for buckets of one account alone.
    pub(crate) fn of_account(mut self, account: Option<String>) -> Self {
        if let Some(account) = &account {
            let owner = BucketOwner(account.clone());
            self.client = Client::from_conf(self.creator.config().to_builder().interceptor(owner).build());
        }
        self.account = account;
        self
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) async fn read(&self, bucket: &str, key: &str) -> Result<Found, Error> {
        let what = || format!("read {key} of bucket {bucket}");
        let mut object = match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) => {
                return match error.code() {
                    Some("NoSuchBucket") => Ok(Found::NoBucket),
                    Some("NoSuchKey") => Ok(Found::NoObject),
                    Some("AccessDenied") if let Some(account) = &self.account => Err(Error::Refused(format!(
                        "the object store at {} refuses the operator's credential when asked to {}: the credential lacks the right, or bucket \
                         {bucket} does not belong to account {account}; in that case set another prefix for names of buckets",
                        self.place,
                        what()
                    ))),
                    _ => Err(failed(what(), &self.place, &error)),
                };
            }
        };
        let read = async {
            let mut bytes = Vec::new();
            while let Some(piece) = object.body.try_next().await? {
                if bytes.len() + piece.len() > MOST_BYTES {
                    return Ok(Found::TooLarge);
                }
                bytes.extend_from_slice(&piece);
            }
            Ok::<_, aws_sdk_s3::primitives::ByteStreamError>(Found::Object(bytes))
        };
        // The timeout of the client ends with the headers.
        match tokio::time::timeout(std::time::Duration::from_secs(crate::limits::OPERATION_SECONDS), read).await {
            Ok(found) => found.map_err(|error| unreachable(&what(), &self.place, &crate::error::root_cause(&error))),
            Err(_) => Err(crate::error::no_answer(&what(), &self.place)),
        }
    }

    /// Writes an object; with `fresh` not over one that is there, where the service can tell. The caller reads it back.
    pub(crate) async fn write(&self, bucket: &str, key: &str, bytes: Vec<u8>, fresh: bool) -> Result<(), Error> {
        let put = || self.client.put_object().bucket(bucket).key(key).body(bytes.clone().into());
        if fresh {
            match put().if_none_match("*").send().await {
                Ok(_) => return Ok(()),
                // Somebody was faster.
                Err(error) if matches!(status(&error), Some(409 | 412)) => return Ok(()),
                // The service does not know the condition.
                Err(error) if is_unknown(&error) => {}
                Err(error) => return Err(failed(format!("write {key} to bucket {bucket}"), &self.place, &error)),
            }
        }
        let written = put().send().await;
        written.map(drop).map_err(|error| failed(format!("write {key} to bucket {bucket}"), &self.place, &error))
    }

    pub(crate) async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), Error> {
        match self.client.delete_object().bucket(bucket).key(key).send().await {
            Err(error) if status(&error) != Some(404) => {
                Err(failed(format!("delete {key} of bucket {bucket}"), &self.place, &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes a bucket and gives true, or gives false if it is there.
    pub(crate) async fn create(&self, bucket: &str, maker: &str, location: Option<&str>) -> Result<bool, Error> {
        let what = || format!("create bucket {bucket}");
        let plain = location.map(|region| {
            let constraint = BucketLocationConstraint::from(region);
            CreateBucketConfiguration::builder().location_constraint(constraint)
        });
        let tag = Tag::builder().key(MAKER_TAG).value(maker).build();
        let tag = tag.map_err(|error| Error::Invalid(format!("cannot {}: {error}", what())))?;
        let tagged = plain.clone().unwrap_or_else(CreateBucketConfiguration::builder).tags(tag).build();
        let create = || self.creator.create_bucket().bucket(bucket);
        let mut made = create().create_bucket_configuration(tagged).send().await;
        if made.as_ref().is_err_and(|error| is_unknown(error) || status(error) == Some(403)) {
            made = create().set_create_bucket_configuration(plain.map(|plain| plain.build())).send().await;
        }
        match made {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.code(), Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")) => Ok(false),
            Err(error) => Err(failed(what(), &self.place, &error)),
        }
    }

    /// Who made the bucket, if it says so and the service knows tags.
    pub(crate) async fn maker(&self, bucket: &str) -> Result<Option<String>, Error> {
        match self.client.get_bucket_tagging().bucket(bucket).send().await {
            Ok(tags) => {
                let tag = tags.tag_set().iter().find(|tag| tag.key() == MAKER_TAG);
                Ok(tag.map(|tag| tag.value().to_owned()))
            }
            Err(error) if is_unknown(&error) || matches!(status(&error), Some(403 | 404)) => Ok(None),
            Err(error) => Err(failed(format!("read the tags of bucket {bucket}"), &self.place, &error)),
        }
    }

    pub(crate) async fn is_empty(&self, bucket: &str) -> Result<bool, Error> {
        let page = self.client.list_objects_v2().bucket(bucket).max_keys(1).send().await;
        let page = page.map_err(|error| failed(format!("list bucket {bucket}"), &self.place, &error))?;
        if !page.contents().is_empty() {
            return Ok(false);
        }
        // A bucket whose objects are all hidden by delete markers is in use, too.
        Ok(self.versions(bucket, None).await?.is_none_or(|page| page.objects.is_empty()))
    }

    /// Sets the policy, unless it is that already.
    pub(crate) async fn ensure_policy(&self, bucket: &str, policy: &Value) -> Result<(), Error> {
        match self.client.get_bucket_policy().bucket(bucket).send().await {
            Ok(found) => {
                if found.policy().and_then(|text| serde_json::from_str::<Value>(text).ok()).as_ref() == Some(policy) {
                    return Ok(());
                }
            }
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => {}
            Err(error) => return Err(failed(format!("read the policy of bucket {bucket}"), &self.place, &error)),
        }
        let put = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await;
        put.map(drop).map_err(|error| failed(format!("write the policy of bucket {bucket}"), &self.place, &error))
    }

    pub(crate) async fn delete(&self, bucket: &str) -> Result<(), Error> {
        match self.client.delete_bucket().bucket(bucket).send().await {
            Err(error) if error.code() != Some("NoSuchBucket") => {
                Err(failed(format!("delete bucket {bucket}"), &self.place, &error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the service knows the key pair of this client.
    pub(crate) async fn probe(&self, bucket: &str) -> Result<Probe, Error> {
        match self.client.list_objects_v2().bucket(bucket).max_keys(1).send().await {
            Ok(_) => Ok(Probe::Works),
            // Only after the signature was found right. Any other refusal, such as a wrong clock, proves nothing.
            Err(error) => match error.code() {
                Some("AccessDenied" | "NoSuchBucket") => Ok(Probe::Works),
                Some("InvalidAccessKeyId") => Ok(Probe::UnknownKey),
                Some("SignatureDoesNotMatch") => Ok(Probe::WrongSecret),
                _ => Err(failed(format!("list bucket {bucket} as its user"), &self.place, &error)),
            },
        }
    }
}

/// Whether the service does not know a part of the request.
pub(crate) fn is_unknown<E>(error: &SdkError<E>) -> bool {
    matches!(status(error), Some(400 | 405 | 501))
}
