//! Versity Gateway: users by its admin API, rights by bucket policy.

mod admin;
mod isolation;
mod policy;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::bucket::{Buckets, Probe};
use crate::claim::{self, State};
use crate::{Access, Credential, Deleted, Error, Marker, Provisioner, Request, Service, is_of_same_instance};
use admin::{Admin, Created};
pub use isolation::Isolation;

/// One user per instance, whose secret is derived, and a bucket policy that names only that user.
#[derive(Debug)]
pub struct Versitygw {
    service: Service,
    admin: Admin,
    buckets: Buckets,
    isolation: Isolation,
}

impl Versitygw {
    /// Prepares clients; asks nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the service has no endpoint or its CA bundle is none.
    pub fn new(service: Service, admin: Credential, isolation: Isolation) -> Result<Self, Error> {
        let buckets = Buckets::new(&service, admin.provider())?;
        Ok(Self { admin: Admin::new(&service, admin)?, buckets, service, isolation })
    }

    async fn works(&self, request: &Request, credential: &Credential) -> Result<bool, Error> {
        let buckets = Buckets::new(&self.service, credential.clone().provider())?;
        Ok(buckets.probe(&request.bucket()).await? == Probe::Works)
    }

    /// A user is ours if the secret that only we can derive is its secret: now, before its bucket was handed over, or in releases of before.
    async fn is_proven(&self, request: &Request, user: &str, marker: Option<&Marker>) -> Result<bool, Error> {
        let formerly = marker.and_then(|marker| marker.formerly.as_deref());
        for fingerprint in [Some(request.owner.fingerprint.as_str()), None].into_iter().chain(formerly.map(Some)) {
            if self.works(request, &request.credential_of(user, fingerprint)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ensure_user(&self, request: &Request, user: &str, marker: &Marker) -> Result<Credential, Error> {
        let credential = request.credential(user);
        // A user of before keeps its secret: another one would replace the pods of every instance at once. Not in a bucket that was handed over,
        // since whoever had it before knows that secret.
        let before = marker.formerly.is_none().then(|| request.credential_of(user, None));
        for known in [credential.clone()].into_iter().chain(before) {
            if self.works(request, &known).await? {
                return Ok(known);
            }
        }
        match self.admin.create_user(&credential).await? {
            Created::Now => Ok(credential),
            Created::Before
                if records(request, marker, user) || self.is_proven(request, user, Some(marker)).await? =>
            {
                self.admin.update_user(&credential).await?;
                Ok(credential)
            }
            Created::Before => Err(self.user_not_owned(request, user)),
        }
    }

    /// Deletes the users of the bucket that are proven to be ours.
    async fn delete_users(&self, request: &Request, marker: Option<&Marker>) -> Result<(), Error> {
        let derived = request.user();
        let before = marker
            .and_then(|marker| marker.other_user(&derived))
            .filter(|before| is_of_same_instance(before, &derived));
        if let Some(before) = before {
            self.delete_proven(request, before, marker).await?;
        }
        if marker.is_some_and(|marker| records(request, marker, &derived)) {
            return self.admin.delete_user(&derived).await;
        }
        self.delete_proven(request, &derived, marker).await
    }

    /// Deletes a user whose secret is a derived one; the name may come from a marker.
    async fn delete_proven(&self, request: &Request, user: &str, marker: Option<&Marker>) -> Result<(), Error> {
        if self.is_proven(request, user, marker).await? { self.admin.delete_user(user).await } else { Ok(()) }
    }

    fn user_not_owned(&self, request: &Request, user: &str) -> Error {
        let (user, place) = (user.to_owned(), self.service.place());
        Error::UserNotOwned { user, place, owner: Box::new(request.owner.clone()) }
    }
}

/// Whether the marker proves that the user is ours, which matters when the operator's seed was lost.
///
/// Only in a bucket of the derived name, which nobody but the operator had a key for. Into a bucket that the tenant named, somebody may have written a
/// marker of their own, to have the secret of another cluster's user of the same name reset.
fn records(request: &Request, marker: &Marker, user: &str) -> bool {
    request.bucket_is_derived() && user == request.user() && marker.user.as_deref() == Some(user)
}

#[async_trait]
impl Provisioner for Versitygw {
    async fn ensure(&self, request: &Request, _kept: Option<&Credential>) -> Result<Access, Error> {
        let (bucket, user) = (request.bucket(), request.user());
        let marker = claim::take(&self.buckets, request, None).await?;
        // Before anybody gets a key. A bucket that is in use stays usable.
        if self.isolation == Isolation::Required && marker.user.is_none() {
            isolation::check(&self.buckets, &bucket).await?;
        }
        let credential = self.ensure_user(request, &user, &marker).await?;
        self.buckets.ensure_policy(&bucket, &policy::of_bucket(&bucket, &user)).await?;
        if let Some(before) = marker.other_user(&user).filter(|before| is_of_same_instance(before, &user)) {
            self.delete_proven(request, before, Some(&marker)).await?;
        }
        claim::record_user(&self.buckets, &bucket, marker, &user).await?;
        Ok(Access::Keys(credential))
    }

    async fn delete(&self, request: &Request) -> Result<Deleted, Error> {
        let bucket = request.bucket();
        crate::naming::check_bucket(&bucket)?;
        let state = claim::state(&self.buckets, request).await?;
        let marker = if let State::Ours(marker) = &state { Some(marker) } else { None };
        // The users first: nobody writes while the bucket is emptied, and the marker still proves them.
        self.delete_users(request, marker).await?;
        claim::delete(&self.buckets, &bucket, state).await
    }

    async fn owner(&self, bucket: &str) -> Result<Option<Option<Marker>>, Error> {
        claim::owner(&self.buckets, bucket).await
    }

    async fn is_left(&self, bucket: &str, user: &str, namespace: &str) -> Result<bool, Error> {
        if claim::is_left(&self.buckets, bucket, user, namespace).await? {
            return Ok(true);
        }
        // The gateway tells whether it knows a key before it looks at the signature.
        let nobody = Credential { access_key_id: user.to_owned(), secret_access_key: SecretString::from("none") };
        let buckets = Buckets::new(&self.service, nobody.provider())?;
        Ok(buckets.probe(bucket).await? != Probe::UnknownKey)
    }
}
