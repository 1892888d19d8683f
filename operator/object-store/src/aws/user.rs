//! An IAM user per bucket, with one access key.

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use secrecy::{ExposeSecret, SecretString};

use super::{Aws, PATH, is_of, policy, tags};
use crate::bucket::{Buckets, Probe};
use crate::error::failed;
use crate::{Credential, Error, Owner, Request};

/// Access key ids have at most 128 characters, secrets 40.
const MOST_KEY_BYTES: usize = 128;

/// State of the IAM user of the derived name.
#[derive(PartialEq, Eq)]
enum User {
    None,
    Ours,
    Other,
}

impl Aws {
    pub(super) async fn ensure_user(&self, request: &Request, kept: Option<&Credential>) -> Result<Credential, Error> {
        let user = request.user();
        match self.user(&user, &request.owner).await? {
            User::Other => return Err(self.user_not_owned(&user, &request.owner)),
            User::Ours => {}
            User::None => {
                let create = self.iam.create_user().user_name(&user).path(PATH).set_tags(Some(tags(&request.owner)?));
                let made = create.send().await;
                made.map_err(|error| failed(format!("create user {user}"), &self.iam_place, &error))?;
            }
        }
        self.ensure_user_policy(request).await?;
        self.ensure_key(request, kept).await
    }

    /// Deletes the user with its keys and policy, if it is the owner's.
    pub(super) async fn delete_user(&self, user: &str, owner: &Owner) -> Result<(), Error> {
        if self.user(user, owner).await? != User::Ours {
            return Ok(());
        }
        self.delete_keys(user, &self.keys(user).await?).await?;
        let gone = self.iam.delete_user_policy().user_name(user).policy_name(policy::NAME).send().await;
        self.gone(gone, &format!("delete the policy of user {user}"))?;
        let gone = self.iam.delete_user().user_name(user).send().await;
        self.gone(gone, &format!("delete user {user}"))
    }

    /// Whether there is a user of this name, whoever made it.
    pub(super) async fn user_exists(&self, user: &str) -> Result<bool, Error> {
        match self.iam.list_user_tags().user_name(user).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("NoSuchEntity") => Ok(false),
            Err(error) => Err(failed(format!("read the tags of user {user}"), &self.iam_place, &error)),
        }
    }

    async fn user(&self, user: &str, owner: &Owner) -> Result<User, Error> {
        match self.iam.list_user_tags().user_name(user).send().await {
            Ok(found) if is_of(found.tags(), owner) => Ok(User::Ours),
            Ok(_) => Ok(User::Other),
            Err(error) if error.code() == Some("NoSuchEntity") => Ok(User::None),
            Err(error) => Err(failed(format!("read the tags of user {user}"), &self.iam_place, &error)),
        }
    }

    async fn ensure_user_policy(&self, request: &Request) -> Result<(), Error> {
        let user = request.user();
        let wanted = policy::of_bucket(policy::partition(&self.settings.service.region), &request.bucket());
        match self.iam.get_user_policy().user_name(&user).policy_name(policy::NAME).send().await {
            Ok(found) if policy::is_same(found.policy_document(), &wanted) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.code() == Some("NoSuchEntity") => {}
            Err(error) => return Err(failed(format!("read the policy of user {user}"), &self.iam_place, &error)),
        }
        let put = self.iam.put_user_policy().user_name(&user).policy_name(policy::NAME);
        let put = put.policy_document(wanted.to_string()).send().await;
        put.map(drop).map_err(|error| failed(format!("write the policy of user {user}"), &self.iam_place, &error))
    }

    /// Keeps the key that the instance has, if it is one of this user and works. Otherwise the user gets a new one and loses the others: their secrets
    /// are known to nobody.
    async fn ensure_key(&self, request: &Request, kept: Option<&Credential>) -> Result<Credential, Error> {
        let user = request.user();
        let keys = self.keys(&user).await?;
        let is_kept = |key: &AccessKeyMetadata, kept: &Credential| {
            key.status() == Some(&StatusType::Active) && key.access_key_id() == Some(kept.access_key_id.as_str())
        };
        if let Some(kept) = kept.filter(|kept| keys.iter().any(|key| is_kept(key, kept)))
            && kept.secret_access_key.expose_secret().len() <= MOST_KEY_BYTES
        {
            let as_user = Buckets::new(&self.settings.service, kept.provider())?;
            // IAM takes some seconds to tell S3 of a new key.
            if as_user.probe(&request.bucket()).await? != Probe::WrongSecret {
                return Ok(kept.clone());
            }
        }
        self.delete_keys(&user, &keys).await?;
        let made = self.iam.create_access_key().user_name(&user).send().await;
        let made = made.map_err(|error| failed(format!("create a key of user {user}"), &self.iam_place, &error))?;
        let key = made.access_key().ok_or_else(|| {
            Error::Unavailable(format!("{} was asked to create a key of user {user} and gave none", self.iam_place))
        })?;
        let secret_access_key = SecretString::from(key.secret_access_key());
        Ok(Credential { access_key_id: key.access_key_id().to_owned(), secret_access_key })
    }

    async fn keys(&self, user: &str) -> Result<Vec<AccessKeyMetadata>, Error> {
        // A user has at most two.
        let found = self.iam.list_access_keys().user_name(user).send().await;
        let found = found.map_err(|error| failed(format!("list the keys of user {user}"), &self.iam_place, &error))?;
        Ok(found.access_key_metadata)
    }

    async fn delete_keys(&self, user: &str, keys: &[AccessKeyMetadata]) -> Result<(), Error> {
        for key in keys {
            let gone = self.iam.delete_access_key().user_name(user).set_access_key_id(key.access_key_id.clone()).send();
            self.gone(gone.await, &format!("delete a key of user {user}"))?;
        }
        Ok(())
    }
}
