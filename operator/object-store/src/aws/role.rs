//! An IAM role per bucket, which one service account may take.

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use serde_json::Value;

use super::{Aws, PATH, WorkloadIdentity, is_of, policy, tags};
use crate::error::failed;
use crate::{Error, Owner, Request};

impl Aws {
    /// Makes the role or corrects its policies, and returns its ARN.
    pub(super) async fn ensure_role(&self, request: &Request, identity: &WorkloadIdentity) -> Result<String, Error> {
        let role = request.user();
        let trust = policy::of_trust(identity, service_account(request)?);
        let arn = match self.role(&role, &request.owner).await? {
            Some((arn, found)) => {
                if !policy::is_same(&found, &trust) {
                    let put = self.iam.update_assume_role_policy().role_name(&role).policy_document(trust.to_string());
                    let put = put.send().await;
                    put.map_err(|error| failed(format!("write who may take role {role}"), &self.iam_place, &error))?;
                }
                arn
            }
            None => {
                let create = self.iam.create_role().role_name(&role).path(PATH).set_tags(Some(tags(&request.owner)?));
                let made = create.assume_role_policy_document(trust.to_string()).send().await;
                let made = made.map_err(|error| failed(format!("create role {role}"), &self.iam_place, &error))?;
                made.role().map(|role| role.arn().to_owned()).unwrap_or_default()
            }
        };
        self.ensure_role_policy(request).await?;
        Ok(arn)
    }

    /// Deletes the role with its policy, if it is the owner's.
    pub(super) async fn delete_role(&self, role: &str, owner: &Owner) -> Result<(), Error> {
        match self.role(role, owner).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(Error::UserNotOwned { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        let gone = self.iam.delete_role_policy().role_name(role).policy_name(policy::NAME).send().await;
        self.gone(gone, &format!("delete the policy of role {role}"))?;
        let gone = self.iam.delete_role().role_name(role).send().await;
        self.gone(gone, &format!("delete role {role}"))
    }

    /// Whether there is a role of this name, whoever made it.
    pub(super) async fn role_exists(&self, role: &str) -> Result<bool, Error> {
        match self.iam.get_role().role_name(role).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("NoSuchEntity") => Ok(false),
            Err(error) => Err(failed(format!("read role {role}"), &self.iam_place, &error)),
        }
    }

    /// ARN and trust policy of the owner's role.
    async fn role(&self, name: &str, owner: &Owner) -> Result<Option<(String, String)>, Error> {
        let what = format!("read role {name}");
        let role = match self.iam.get_role().role_name(name).send().await {
            Ok(found) => found.role,
            Err(error) if error.code() == Some("NoSuchEntity") => return Ok(None),
            Err(error) => return Err(failed(what, &self.iam_place, &error)),
        };
        let tags = self.iam.list_role_tags().role_name(name).send().await;
        let tags = tags.map_err(|error| failed(format!("read the tags of role {name}"), &self.iam_place, &error))?;
        match role {
            Some(role) if is_of(tags.tags(), owner) => {
                let trust = role.assume_role_policy_document().unwrap_or_default().to_owned();
                Ok(Some((role.arn().to_owned(), trust)))
            }
            _ => Err(self.user_not_owned(name, owner)),
        }
    }

    async fn ensure_role_policy(&self, request: &Request) -> Result<(), Error> {
        let role = request.user();
        let wanted: Value = policy::of_bucket(policy::partition(&self.settings.service.region), &request.bucket());
        match self.iam.get_role_policy().role_name(&role).policy_name(policy::NAME).send().await {
            Ok(found) if policy::is_same(found.policy_document(), &wanted) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.code() == Some("NoSuchEntity") => {}
            Err(error) => return Err(failed(format!("read the policy of role {role}"), &self.iam_place, &error)),
        }
        let put = self.iam.put_role_policy().role_name(&role).policy_name(policy::NAME);
        let put = put.policy_document(wanted.to_string()).send().await;
        put.map(drop).map_err(|error| failed(format!("write the policy of role {role}"), &self.iam_place, &error))
    }

    /// The result of a deletion: what is not there is gone.
    pub(super) fn gone<T, E>(&self, result: Result<T, SdkError<E>>, what: &str) -> Result<(), Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match result {
            Err(error) if error.code() != Some("NoSuchEntity") => Err(failed(what, &self.iam_place, &error)),
            _ => Ok(()),
        }
    }
}

/// The service account of the request. Refuses other characters than letters, digits, `-` and `.`: IAM could read them as a pattern.
fn service_account(request: &Request) -> Result<&str, Error> {
    let account = request.service_account.as_deref().unwrap_or_default();
    let parts: Vec<_> = account.split(':').collect();
    let valid =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    match parts.as_slice() {
        ["system", "serviceaccount", namespace, name]
            if *namespace == request.owner.namespace && valid(namespace) && valid(name) =>
        {
            Ok(account)
        }
        _ => Err(Error::Invalid(format!(
            "a role for {} needs a service account of its namespace, system:serviceaccount:{}:NAME, and got {account:?}",
            request.owner, request.owner.namespace
        ))),
    }
}
