//! AWS, and services that speak its IAM: per bucket a user with keys, or a role for one service account.

mod account;
mod block;
mod policy;
mod role;
mod user;

use async_trait::async_trait;
use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::types::Tag;
use aws_sdk_s3::config::SharedCredentialsProvider;

use crate::bucket::Buckets;
use crate::claim::{self, State};
use crate::service::timeouts;
use crate::{Access, Credential, Deleted, Error, Marker, Owner, Provisioner, Request, Service};

/// Users and roles lie below this path.
const PATH: &str = "/aurora-locus/";
/// The tag that says whose a user or role is.
const FINGERPRINT_TAG: &str = "aurora-locus-fingerprint";

/// How to reach AWS.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    pub service: Service,
    /// URL of IAM; `None` is AWS's own.
    pub iam_endpoint: Option<String>,
    /// The administrator's keys; `None` takes the operator's own workload identity.
    pub admin: Option<Credential>,
    /// With it, pods get a role and no keys.
    pub workload_identity: Option<WorkloadIdentity>,
}

/// The OIDC provider that vouches for service accounts of the cluster.
#[derive(Clone, Debug)]
pub struct WorkloadIdentity {
    /// ARN of the provider in IAM.
    pub oidc_provider_arn: String,
    /// Issuer of the cluster's tokens, with or without `https://`.
    pub oidc_issuer: String,
}

/// Buckets by S3, users or roles by IAM.
#[derive(Debug)]
pub struct Aws {
    settings: AwsSettings,
    buckets: Buckets,
    iam: aws_sdk_iam::Client,
    /// How people know IAM.
    iam_place: String,
}

impl Aws {
    /// Prepares clients. Looks for the operator's own identity, if no keys are given, and asks STS for its account.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the CA bundle is none, and what STS answers.
    pub async fn new(settings: AwsSettings) -> Result<Self, Error> {
        let service = &settings.service;
        let keys = match &settings.admin {
            Some(admin) => admin.provider(),
            None => own_identity(service).await?,
        };
        let account = account::of(service, settings.iam_endpoint.as_deref(), keys.clone()).await?;
        let buckets = Buckets::new(service, keys.clone())?.of_account(account);
        let mut config = aws_sdk_iam::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(service.http_client()?)
            .credentials_provider(keys)
            .region(Region::new(service.region.clone()))
            .timeout_config(timeouts());
        if let Some(endpoint) = &settings.iam_endpoint {
            config = config.endpoint_url(endpoint);
        }
        let iam_place = settings.iam_endpoint.clone().unwrap_or_else(|| "AWS IAM".into());
        Ok(Self { buckets, iam: aws_sdk_iam::Client::from_conf(config.build()), iam_place, settings })
    }

    /// Deletes the user or role of a name; tags prove it, so the name may come from a marker.
    async fn delete_identity(&self, name: &str, owner: &Owner) -> Result<(), Error> {
        self.delete_user(name, owner).await?;
        // Without workload identity the operator may have no right to ask for roles.
        if self.settings.workload_identity.is_some() { self.delete_role(name, owner).await } else { Ok(()) }
    }

    fn user_not_owned(&self, user: &str, owner: &Owner) -> Error {
        Error::UserNotOwned { user: user.to_owned(), place: self.iam_place.clone(), owner: Box::new(owner.clone()) }
    }
}

#[async_trait]
impl Provisioner for Aws {
    async fn ensure(&self, request: &Request, kept: Option<&Credential>) -> Result<Access, Error> {
        let (bucket, region) = (request.bucket(), self.settings.service.region.as_str());
        let location = (region != "us-east-1").then_some(region);
        let marker = claim::take(&self.buckets, request, location).await?;
        self.block_public_access(&bucket).await?;
        let access = match &self.settings.workload_identity {
            None => Access::Keys(self.ensure_user(request, kept).await?),
            Some(identity) => {
                let arn = self.ensure_role(request, identity).await?;
                // Of the time before workload identity: its keys must not stay.
                self.delete_user(&request.user(), &request.owner).await?;
                Access::Role { arn }
            }
        };
        if let Some(before) = marker.other_user(&request.user()) {
            self.delete_identity(before, &request.owner).await?;
        }
        claim::record_user(&self.buckets, &bucket, marker, &request.user()).await?;
        Ok(access)
    }

    async fn delete(&self, request: &Request) -> Result<Deleted, Error> {
        let bucket = request.bucket();
        crate::naming::check_bucket(&bucket)?;
        let state = claim::state(&self.buckets, request).await?;
        // Tags prove users and roles, whatever became of the bucket. Without them nobody writes while the bucket is emptied.
        if let State::Ours(marker) = &state
            && let Some(before) = marker.other_user(&request.user())
        {
            self.delete_identity(before, &request.owner).await?;
        }
        self.delete_identity(&request.user(), &request.owner).await?;
        claim::delete(&self.buckets, &bucket, state).await
    }

    async fn owner(&self, bucket: &str) -> Result<Option<Option<Marker>>, Error> {
        claim::owner(&self.buckets, bucket).await
    }

    async fn is_left(&self, bucket: &str, user: &str, namespace: &str) -> Result<bool, Error> {
        // Without workload identity the operator may have no right to ask for roles.
        let roles = self.settings.workload_identity.is_some();
        Ok(claim::is_left(&self.buckets, bucket, user, namespace).await?
            || self.user_exists(user).await?
            || (roles && self.role_exists(user).await?))
    }
}

async fn own_identity(service: &Service) -> Result<SharedCredentialsProvider, Error> {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(service.region.clone()))
        .http_client(service.http_client()?)
        .timeout_config(timeouts())
        .load()
        .await;
    config.credentials_provider().ok_or_else(|| Error::Invalid("the operator has no AWS identity of its own".into()))
}

fn tags(owner: &Owner) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&str, &str)| {
        // IAM takes fewer characters than Kubernetes has in names of clusters; only the fingerprint decides.
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.:/=+-@ ".contains(c) { c } else { '_' };
        let value: String = value.chars().map(allowed).take(256).collect();
        Tag::builder().key(key).value(value).build()
    };
    let names = [
        (FINGERPRINT_TAG, owner.fingerprint.as_str()),
        ("aurora-locus-cluster", &owner.cluster),
        ("aurora-locus-namespace", &owner.namespace),
        ("aurora-locus-name", &owner.name),
    ];
    let all: Result<Vec<_>, _> = names.into_iter().map(tag).collect();
    all.map_err(|error| Error::Invalid(format!("{owner} cannot be written into tags: {error}")))
}

/// Whether tags of a user or role name the owner.
fn is_of(found: &[Tag], owner: &Owner) -> bool {
    let wanted = tags(owner).unwrap_or_default();
    let wanted = wanted.first().map(Tag::value).filter(|value| !value.is_empty());
    wanted.is_some() && found.iter().find(|tag| tag.key() == FINGERPRINT_TAG).map(Tag::value) == wanted
}
