//! What the server reads from Secrets, and the Secrets with the URLs of services beside the database: mail and Redis.

use k8s_openapi::api::core::v1::EnvVar;
use operator_api::{ConditionType, PdsInstanceSpec, Reason, SecretKey};
use pds_config::{RedisUrl, SmtpUrl};

use super::super::verdict::Verdict;
use super::super::wanted::Blobs;
use super::part::{Component, Part, Scene};
use super::{blobs, database, keys, pod};

/// A Secret with the URL of a service.
pub struct Named<'a> {
    /// The field of the spec.
    pub field: &'static str,
    /// Where the URL is.
    pub secret: &'a SecretKey,
    /// The variable of the PDS that holds the URL.
    pub variable: &'static str,
    /// Says what is wrong with a URL.
    check: fn(&str) -> Result<(), String>,
    /// The form of a URL, for people.
    form: &'static str,
}

/// The Secrets that a spec names for services.
#[must_use]
pub fn named(spec: &PdsInstanceSpec) -> Vec<Named<'_>> {
    let smtp = |field, secret, variable| Named {
        field,
        secret,
        variable,
        check: |text| SmtpUrl::parse(text).map(drop),
        form: SmtpUrl::FORM,
    };
    let mut named = Vec::new();
    if let Some(email) = &spec.email {
        named.push(smtp("email.smtpSecret", &email.smtp_secret, "PDS_EMAIL_SMTP_URL"));
        if let Some(moderation) = &email.moderation {
            let secret = &moderation.smtp_secret;
            named.push(smtp("email.moderation.smtpSecret", secret, "PDS_MODERATION_EMAIL_SMTP_URL"));
        }
    }
    if let Some(cache) = &spec.cache {
        named.push(Named {
            field: "cache.urlSecret",
            secret: &cache.url_secret,
            variable: "REDIS_URL",
            check: |text| RedisUrl::parse(text).map(drop),
            form: RedisUrl::FORM,
        });
    }
    named
}

/// The variables of the server whose values are in Secrets.
pub(super) fn env(scene: &Scene<'_>) -> Vec<EnvVar> {
    let wanted = scene.wanted;
    let own = keys::secret_name(&wanted.instance);
    let mut env = database::url_env(wanted);
    env.push(pod::secret_env("PDS_JWT_SECRET", &own, "jwtSecret"));
    env.push(pod::secret_env("PDS_ADMIN_PASSWORD", &own, "adminPassword"));
    env.extend(keys::env(wanted));
    let credential = match &wanted.blobs {
        Blobs::Given { secret, .. } => Some(secret.clone()),
        Blobs::Provisioned { .. } if !wanted.uses_role() => Some(blobs::secret_name(&wanted.instance)),
        _ => None,
    };
    if let Some(secret) = credential {
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", &secret, "accessKeyId"));
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", &secret, "secretAccessKey"));
    }
    let urls = named(&scene.pds.spec).into_iter();
    env.extend(urls.map(|one| pod::secret_env(one.variable, &one.secret.name, &one.secret.key)));
    env
}

/// Checks the Secrets of `spec.email` and `spec.cache` and sets `SecretsReady`. Makes no object; without these fields the condition is absent.
pub struct Secrets;

impl Component for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::SecretsReady
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let named = named(&scene.pds.spec);
        if named.is_empty() {
            return Part::absent();
        }
        let names: Vec<_> = named.iter().map(|one| format!("Secret {}", one.secret.name)).collect();
        let faults = named.iter().filter_map(|one| fault(scene, one));
        Part::new(faults.into_iter().next().unwrap_or_else(|| Verdict::good(names.join(", "))))
    }
}

fn fault(scene: &Scene<'_>, one: &Named<'_>) -> Option<Verdict> {
    let references = &scene.observed.references;
    if let Some(problem) = references.problem(one.field) {
        return Some(problem);
    }
    let SecretKey { name, key } = one.secret;
    let text = references.services.get(one.field).and_then(|content| content.text(key)).unwrap_or_default();
    let why = (one.check)(text).err()?;
    let (field, variable, form) = (one.field, one.variable, one.form);
    let message = format!("spec.{field}: Secret {name}, key {key} ({variable}): {why}; allowed: {form}");
    Some(Verdict::bad(Reason::CredentialsInvalid, message))
}
