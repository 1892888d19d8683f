//! Settings about accounts: invitations, contact, limits, records.

use jiff::Timestamp;
use operator_api::{Invites, PdsClass, PdsInstanceSpec, Quantity, Rate, RateLimits, RecordRules};
use operator_runtime::compare::whole;

use super::said::Said;

pub(super) fn setting(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    identity(name, spec, class).or_else(|| limits(name, spec, class))
}

fn identity(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let identity = Said::of(spec, class, |spec| spec.identity.as_ref(), |defaults| defaults.identity.as_ref());
    match name {
        "PDS_INVITE_REQUIRED" => Some((identity.find(|identity| identity.invites) != Some(Invites::Open)).to_string()),
        "PDS_INVITE_INTERVAL" => identity.find(|identity| identity.invite_interval.clone()),
        "PDS_INVITE_EPOCH" => identity.find(|identity| identity.invites_since.as_deref()).map(milliseconds),
        "PDS_RECOVERY_DID_KEY" => identity.find(|identity| identity.recovery_did_key.clone()),
        "PDS_CONTACT_EMAIL_ADDRESS" => identity.find(|identity| identity.contact_email.clone()),
        "PDS_PRIVACY_POLICY_URL" => identity.find(|identity| identity.privacy_policy_url.clone()),
        "PDS_TERMS_OF_SERVICE_URL" => identity.find(|identity| identity.terms_of_service_url.clone()),
        _ => None,
    }
}

/// A time in milliseconds since 1970. What is no time stays as it is, so that the setting refuses it.
fn milliseconds(time: &str) -> String {
    time.parse::<Timestamp>().map_or_else(|_| time.to_owned(), |time| time.as_millisecond().to_string())
}

fn limits(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let limits = Said::of(spec, class, |spec| spec.limits.as_ref(), |defaults| defaults.limits.as_ref());
    let bytes = |amount: &Quantity| whole(&amount.0).map(|bytes| bytes.to_string());
    let count = |count: i32| count.to_string();
    let rates = |rates: fn(&RateLimits) -> Option<String>| limits.find(|limits| rates(limits.rate_limits.as_ref()?));
    let per_minute = |of: fn(&RateLimits) -> Option<Rate>| {
        limits.find(|limits| of(limits.rate_limits.as_ref()?)?.per_minute).map(count)
    };
    let burst =
        |of: fn(&RateLimits) -> Option<Rate>| limits.find(|limits| of(limits.rate_limits.as_ref()?)?.burst).map(count);
    match name {
        "PDS_BLOB_UPLOAD_LIMIT" => limits.find(|limits| limits.blob_max_bytes).map(|bytes| bytes.to_string()),
        "PDS_ACCOUNT_QUOTA_BYTES" => limits.find(|limits| limits.account_quota.as_ref()).and_then(bytes),
        "PDS_ACCOUNT_DELETE_GRACE_MS" => limits.find(|limits| limits.account_delete_grace.clone()),
        "PDS_ACCEPTING_REPO_IMPORTS" => limits.find(|limits| limits.repo_imports).map(|accepts| accepts.to_string()),
        "PDS_MAX_REPO_IMPORT_SIZE" => limits.find(|limits| limits.repo_import_max.as_ref()).and_then(bytes),
        "PDS_MAX_REPO_IMPORT_RECORDS" => limits.find(|limits| limits.repo_import_max_records).map(count),
        "PDS_REPO_BACKFILL_LIMIT_MS" => limits.find(|limits| limits.event_retention.clone()),
        "PDS_MAX_SUBSCRIBERS" => limits.find(|limits| limits.subscribers_per_pod).map(count),
        "PDS_MAX_CONNECTIONS" => limits.find(|limits| limits.connections_per_pod).map(count),
        "PDS_RATE_LIMITS_ENABLED" => rates(|rates| rates.enabled.map(|enabled| enabled.to_string())),
        "RATE_LIMIT_UNAUTHENTICATED" => per_minute(|rates| rates.unauthenticated),
        "RATE_LIMIT_UNAUTHENTICATED_BURST" => burst(|rates| rates.unauthenticated),
        "RATE_LIMIT_AUTHENTICATED" => per_minute(|rates| rates.authenticated),
        "RATE_LIMIT_AUTHENTICATED_BURST" => burst(|rates| rates.authenticated),
        "RATE_LIMIT_ADMIN" => per_minute(|rates| rates.admin),
        "RATE_LIMIT_ADMIN_BURST" => burst(|rates| rates.admin),
        "PDS_RATE_LIMIT_BYPASS_IPS" => rates(|rates| rates.exempt_networks.as_ref().map(|networks| networks.join(","))),
        _ => None,
    }
}

/// The rules for records, each from the instance or from the class. Nothing if there are none.
pub(in super::super) fn records(spec: &PdsInstanceSpec, class: &PdsClass) -> Option<RecordRules> {
    let said = Said::of(spec, class, |spec| spec.records.as_ref(), |defaults| defaults.records.as_ref());
    let rules = RecordRules {
        allow: said.find(|rules| rules.allow.clone()),
        deny: said.find(|rules| rules.deny.clone()),
        max_bytes: said.find(|rules| rules.max_bytes.clone()),
    };
    (rules != RecordRules::default()).then_some(rules)
}
