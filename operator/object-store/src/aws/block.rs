//! Blocks public access to a bucket, so that no later bucket policy can open it.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::PublicAccessBlockConfiguration;

use super::Aws;
use crate::Error;
use crate::bucket::is_unknown;
use crate::error::failed;

impl Aws {
    /// Blocks public access, where the service has that.
    pub(super) async fn block_public_access(&self, bucket: &str) -> Result<(), Error> {
        let wanted = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let client = self.buckets.client();
        match client.get_public_access_block().bucket(bucket).send().await {
            Ok(found) if found.public_access_block_configuration() == Some(&wanted) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => {}
            Err(error) if is_unknown(&error) => return Ok(()),
            Err(error) => {
                let what = format!("read the public access block of bucket {bucket}");
                return Err(failed(what, self.buckets.place(), &error));
            }
        }
        let put =
            client.put_public_access_block().bucket(bucket).public_access_block_configuration(wanted).send().await;
        match put {
            Err(error) if !is_unknown(&error) => {
                Err(failed(format!("block public access to bucket {bucket}"), self.buckets.place(), &error))
            }
            _ => Ok(()),
        }
    }
}
