//! Versity Gateway: users by its admin API, rights by bucket policy.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use data_encoding::HEXLOWER;
use operator_api::S3Class;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::bucket::region;
use super::{Bucket, Credential, Error, Provisioner};

/// One user per instance, and a bucket policy that names only that user.
#[derive(Debug)]
pub struct Versitygw {
    class: S3Class,
    admin: Credential,
    bucket: Bucket,
}

impl Versitygw {
    pub(super) fn new(class: &S3Class, admin: Credential, bucket: Bucket) -> Self {
        Self { class: class.clone(), admin, bucket }
    }

    /// A signed request to the admin API; gives the status and the body.
    async fn admin(&self, what: &'static str, path: &str, body: String) -> Result<(StatusCode, String), Error> {
        let failed = |error: &dyn std::error::Error| Error::Service { what, message: error.to_string() };
        let url = format!("{}{path}", self.class.endpoint.trim_end_matches('/'));
        let secret = self.admin.secret_access_key.expose_secret();
        let identity = Credentials::new(&self.admin.access_key_id, secret, None, None, "class").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let region = region(&self.class);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let signable =
            SignableRequest::new("PATCH", url.as_str(), std::iter::empty(), SignableBody::Bytes(body.as_bytes()));
        let signed = sign(signable.map_err(|error| failed(&error))?, &parameters).map_err(|error| failed(&error))?;
        let (instructions, _) = signed.into_parts();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(15)).build();
        let mut request = client.map_err(|error| failed(&error))?.request(Method::PATCH, &url);
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        Ok((status, response.text().await.unwrap_or_default()))
    }
}

#[async_trait]
impl Provisioner for Versitygw {
    fn new_credential(&self, bucket: &str) -> Credential {
        let mut secret = [0; 20];
        rand::fill(&mut secret);
        Credential { access_key_id: user(bucket), secret_access_key: SecretString::from(HEXLOWER.encode(&secret)) }
    }

    fn accepts(&self, _kept: &Credential) -> bool {
        true
    }

    async fn ensure_bucket(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        self.bucket.ensure(bucket, owner).await
    }

    async fn ensure_credential(&self, bucket: &str, credential: &Credential) -> Result<(), Error> {
        if Bucket::new(&self.class, credential).reaches(bucket).await? {
            return Ok(());
        }
        let (access, secret) = (&credential.access_key_id, credential.secret_access_key.expose_secret());
        // Both are made here of letters, digits and hyphens: nothing to escape.
        let body = format!("<Account><Access>{access}</Access><Secret>{secret}</Secret><Role>user</Role></Account>");
        let (status, text) = self.admin("create the S3 user", "/create-user", body).await?;
        if status != StatusCode::CONFLICT {
            return accept("create the S3 user", status, text);
        }
        let body = format!("<MutableProps><Secret>{secret}</Secret><Role>user</Role></MutableProps>");
        let (status, text) =
            self.admin("set the S3 user's key", &format!("/update-user?access={access}"), body).await?;
        accept("set the S3 user's key", status, text)
    }

    async fn ensure_policy(&self, bucket: &str, credential: &Credential) -> Result<(), Error> {
        self.bucket.ensure_policy(bucket, &policy(bucket, &credential.access_key_id)).await
    }

    async fn delete(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        if !self.bucket.delete(bucket, owner).await? {
            return Ok(());
        }
        // By name: its Secret may be gone already.
        let path = format!("/delete-user?access={}", user(bucket));
        let (status, text) = self.admin("delete the S3 user", &path, String::new()).await?;
        if status == StatusCode::NOT_FOUND { Ok(()) } else { accept("delete the S3 user", status, text) }
    }
}

/// The user of a bucket.
fn user(bucket: &str) -> String {
    bucket.into()
}

fn accept(what: &'static str, status: StatusCode, message: String) -> Result<(), Error> {
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(Error::Refused { what, message }),
        _ => Err(Error::Service { what, message: format!("{status}: {message}") }),
    }
}

fn policy(bucket: &str, user: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": [user]},
            "Action": [
                "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation", "s3:GetObject",
                "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
            ],
            "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        }],
    })
}
