//! The AWS account of the administrator, whose buckets alone are touched.
//!
//! Names of buckets are the same for all of AWS and can be computed, so somebody else may have made a bucket of the name of an instance and
//! opened it to everybody. Every request but the one that creates a bucket therefore names the account that the bucket must belong to.

use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_s3::error::SdkError;

use crate::error::failed;
use crate::service::timeouts;
use crate::{Error, Service};

/// The account of the keys, by STS. A service that only speaks AWS's protocols need not have STS; there it is `None`.
pub(super) async fn of(
    service: &Service,
    sts_endpoint: Option<&str>,
    keys: SharedCredentialsProvider,
) -> Result<Option<String>, Error> {
    let mut config = aws_sdk_sts::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(service.http_client()?)
        .credentials_provider(keys)
        .region(Region::new(service.region.clone()))
        .timeout_config(timeouts());
    if let Some(endpoint) = sts_endpoint {
        config = config.endpoint_url(endpoint);
    }
    match aws_sdk_sts::Client::from_conf(config.build()).get_caller_identity().send().await {
        Ok(identity) => Ok(identity.account),
        Err(error) if sts_endpoint.is_some() && is_another_service(&error) => Ok(None),
        Err(error) => {
            Err(failed("tell the account of the operator's credential", sts_endpoint.unwrap_or("AWS STS"), &error))
        }
    }
}

/// Whether what answered cannot be STS. A service that does not answer, or is overloaded, may be STS.
fn is_another_service<E>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_))
        && !matches!(status, None | Some(429 | 500 | 502..=504))
}
