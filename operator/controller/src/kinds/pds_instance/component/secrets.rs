//! What the server reads from Secrets, and the Secrets of services beside the database: mail, Redis, the collector of traces, and what
//! passes rate limits.

use k8s_openapi::api::core::v1::EnvVar;
use kube::ResourceExt;
use operator_api::{ConditionType, Limits, PdsClass, PdsInstanceSpec, Reason, SecretKey, Traces};
use pds_config::{RedisUrl, SmtpUrl};

use super::super::verdict::Verdict;
use super::super::wanted::Blobs;
use super::part::{Component, Part, Scene};
use super::{blobs, database, keys, pod};

/// A Secret that the PDS reads a value from, for a service that it uses.
pub struct ServiceSecret<'a> {
    /// The field, without the group that it is in: `spec`, or `spec.defaults` of the class.
    pub field: &'static str,
    /// Where the value is.
    pub secret: &'a SecretKey,
    /// The variable of the PDS that holds the value.
    pub variable: &'static str,
    /// The class whose defaults name the Secret, if not the instance.
    class: Option<&'a PdsClass>,
    /// Says what is wrong with a value.
    check: fn(&str) -> Result<(), String>,
    /// The form of a value, for people.
    form: &'static str,
}

impl ServiceSecret<'_> {
    /// The field as people find it.
    #[must_use]
    pub fn place(&self) -> String {
        match self.class {
            None => format!("spec.{}", self.field),
            Some(class) => format!("spec.defaults.{} of PdsClass {}", self.field, class.name_any()),
        }
    }
}

/// The Secrets that a spec or the defaults of a class name for services. Both are in the namespace of the instance.
#[must_use]
pub fn of_services<'a>(spec: &'a PdsInstanceSpec, class: Option<&'a PdsClass>) -> Vec<ServiceSecret<'a>> {
    let defaults = class.and_then(|class| class.spec.defaults.as_ref());
    let mut named = Vec::new();
    let mut add = |field, secret, variable, class, check, form| {
        named.push(ServiceSecret { field, secret, variable, class, check, form });
    };
    let smtp: fn(&str) -> Result<(), String> = |text| SmtpUrl::parse(text).map(drop);
    let of_class = class.filter(|_| spec.email.is_none());
    if let Some(email) = spec.email.as_ref().or_else(|| defaults?.email.as_ref()) {
        add("email.smtpSecret", &email.smtp_secret, "PDS_EMAIL_SMTP_URL", of_class, smtp, SmtpUrl::FORM);
        if let Some(moderation) = &email.moderation {
            let (field, variable) = ("email.moderation.smtpSecret", "PDS_MODERATION_EMAIL_SMTP_URL");
            add(field, &moderation.smtp_secret, variable, of_class, smtp, SmtpUrl::FORM);
        }
    }
    let of_class = class.filter(|_| spec.cache.is_none());
    if let Some(cache) = spec.cache.as_ref().or_else(|| defaults?.cache.as_ref()) {
        let check = |text: &str| RedisUrl::parse(text).map(drop);
        add("cache.urlSecret", &cache.url_secret, "REDIS_URL", of_class, check, RedisUrl::FORM);
    }
    let bypass = |limits: &'a Option<Limits>| limits.as_ref()?.rate_limits.as_ref()?.bypass_secret.as_ref();
    let own = bypass(&spec.limits);
    let of_class = class.filter(|_| own.is_none());
    if let Some(secret) = own.or_else(|| bypass(&defaults?.limits)) {
        let variable = "PDS_RATE_LIMIT_BYPASS_KEY";
        let check = |text: &str| pds_config::check("PDS_RATE_LIMIT_BYPASS_KEY", text);
        add("limits.rateLimits.bypassSecret", secret, variable, of_class, check, "at least 16 characters");
    }
    let headers = |traces: &'a Option<Traces>| traces.as_ref()?.headers_secret.as_ref();
    let sends = |traces: &Option<Traces>| traces.as_ref().is_some_and(|traces| traces.endpoint.is_some());
    let own = headers(&spec.traces);
    let of_class = class.filter(|_| own.is_none());
    // The headers of the class are for the collector of the class alone, and without an endpoint nothing is sent with any.
    let of_defaults = || headers(&defaults?.traces).filter(|_| !sends(&spec.traces));
    let is_sent = sends(&spec.traces) || defaults.is_some_and(|defaults| sends(&defaults.traces));
    if let Some(secret) = own.or_else(of_defaults).filter(|_| is_sent) {
        let variable = "OTEL_EXPORTER_OTLP_HEADERS";
        let check = |text: &str| pds_config::check("OTEL_EXPORTER_OTLP_HEADERS", text);
        add(
            "traces.headersSecret",
            secret,
            variable,
            of_class,
            check,
            "names and percent-encoded values, separated by commas: authorization=Bearer%20TOKEN",
        );
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
    env.extend(keys::kms_env(wanted));
    let credential = match &wanted.blobs {
        Blobs::Given { secret, .. } => Some(secret.clone()),
        Blobs::Provisioned { .. } if !wanted.uses_role() => Some(blobs::secret_name(&wanted.instance)),
        _ => None,
    };
    if let Some(secret) = credential {
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", &secret, "accessKeyId"));
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", &secret, "secretAccessKey"));
    }
    let urls = of_services(&scene.pds.spec, Some(&wanted.class)).into_iter();
    env.extend(urls.map(|one| pod::secret_env(one.variable, &one.secret.name, &one.secret.key)));
    env
}

/// Checks the Secrets that [`of_services`] finds and sets `SecretsReady`. Makes no object; where nothing names a Secret the condition is absent.
pub struct Secrets;

impl Component for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::SecretsReady
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let named = of_services(&scene.pds.spec, Some(&scene.wanted.class));
        if named.is_empty() {
            return Part::absent();
        }
        let names: Vec<_> = named.iter().map(|one| format!("Secret {}", one.secret.name)).collect();
        let faults = named.iter().filter_map(|one| fault(scene, one));
        Part::new(faults.into_iter().next().unwrap_or_else(|| Verdict::good(names.join(", "))))
    }
}

fn fault(scene: &Scene<'_>, one: &ServiceSecret<'_>) -> Option<Verdict> {
    let references = &scene.observed.references;
    if let Some(problem) = references.problem(one.field) {
        return Some(problem);
    }
    let SecretKey { name, key } = one.secret;
    let text = references.services.get(one.field).and_then(|content| content.text(key)).unwrap_or_default();
    let why = (one.check)(text).err()?;
    let (place, variable, form) = (one.place(), one.variable, one.form);
    let message = format!("{place}: Secret {name}, key {key} ({variable}): {why}; allowed: {form}");
    Some(Verdict::bad(Reason::CredentialsInvalid, message))
}
