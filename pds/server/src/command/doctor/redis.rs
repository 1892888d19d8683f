//! Redis, if one is configured.

use pds_config::{Secrets, Settings, var};
use pds_limiter::{Probe, Redis};

use super::finding::Finding;
use crate::report::chain;

const NAME: &str = "Redis";

/// Writes, reads and deletes a key, as the limiter does.
pub(super) async fn check(settings: &Settings, secrets: &Secrets) -> Vec<Finding> {
    let Some(url) = &secrets.redis else { return Vec::new() };
    let limits = &settings.rate_limits;
    if !limits.enabled || limits.distributed == Some(false) {
        let text = format!("{url} is configured and not used: rate limits are off, or counted by each replica");
        let advice = format!(
            "Remove {}, or remove RATE_LIMIT_DISTRIBUTED=false and PDS_RATE_LIMITS_ENABLED=false.",
            var::REDIS_URL
        );
        return vec![Finding::warn(NAME, text, advice)];
    }
    let ca_bundle = secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned());
    let (prefix, connections) = (limits.key_prefix.clone(), limits.redis_connections);
    let redis = Redis { url: url.expose(), prefix, ca_bundle, connections };
    vec![match redis.probe().await {
        Ok(Probe { version, evicts: None }) => {
            Finding::ok(NAME, format!("{url} answers, version {version}: a key was written, read and deleted"))
        }
        Ok(Probe { evicts: Some(policy), .. }) => Finding::warn(
            NAME,
            format!("{url} answers, and may forget counts before their time: its maxmemory-policy is {policy}"),
            "Set maxmemory-policy noeviction: without the counts, limits allow more than they say.",
        ),
        Err(error) => Finding::fail(
            NAME,
            format!("{url} cannot be used: {}", chain(&error)),
            "Check REDIS_URL with its user and password, and that this machine may reach the server. Meanwhile each replica applies its share of each rate limit.",
        ),
    }]
}
