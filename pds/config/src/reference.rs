//! Settings of the reference implementation that this server does not have: refused if the host would get something else than it asked for, otherwise
//! without effect.

use crate::error::Problem;

/// A setting of the reference implementation without a row in the table of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceSetting {
    pub name: &'static str,
    pub verdict: Verdict,
    /// Why, and what to do. Continues a sentence that begins with the name.
    pub reason: &'static str,
}

/// What a server does that finds such a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does not start.
    Refused,
    /// It starts unless the setting is `false` or `0`.
    RefusedIfTrue,
    /// The server starts and logs a warning.
    Ignored,
}

use Verdict::{Ignored, Refused, RefusedIfTrue};

const PAGES: &str = "is for the pages of the OAuth provider, which this release does not have";
const ENTRYWAY: &str = "is for a PDS behind an entryway, which keeps the sessions; this server keeps its own sessions: remove all PDS_ENTRYWAY_* settings";
const FILES: &str = "names files of the reference implementation; this server keeps its data in PDS_DATABASE_URL and in the blob store: remove the setting";

/// All of them, as of `@atproto/pds` 0.5.35. In the order of their names.
pub static REFERENCE: &[ReferenceSetting] = &[
    setting("PDS_ACCOUNT_DB_LOCATION", Ignored, FILES),
    setting(
        "PDS_ACTOR_STORE_CACHE_SIZE",
        Ignored,
        "has no effect in the reference implementation either; PDS_REPO_MEMORY bounds the repositories in memory",
    ),
    setting("PDS_ACTOR_STORE_DIRECTORY", Ignored, FILES),
    setting("PDS_BACKGROUND_DARK_URL", Ignored, PAGES),
    setting("PDS_BACKGROUND_LIGHT_URL", Ignored, PAGES),
    setting("PDS_DID_CACHE_DB_LOCATION", Ignored, FILES),
    setting("PDS_DPOP_SECRET", Ignored, "is for the OAuth provider, which this release does not have"),
    setting("PDS_ENABLE_DID_DOC_WITH_SESSION", Ignored, "has no effect: sessions always contain the DID document"),
    setting("PDS_ENTRYWAY_ADMIN_TOKEN", Refused, ENTRYWAY),
    setting("PDS_ENTRYWAY_DID", Refused, ENTRYWAY),
    setting("PDS_ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX", Refused, ENTRYWAY),
    setting("PDS_ENTRYWAY_PLC_ROTATION_KEY", Refused, ENTRYWAY),
    setting("PDS_ENTRYWAY_URL", Refused, ENTRYWAY),
    setting("PDS_ERROR_COLOR", Ignored, PAGES),
    setting(
        "PDS_FETCH_MAX_RESPONSE_SIZE",
        Ignored,
        "has no effect: the limits of what identity lookups read are fixed",
    ),
    setting("PDS_HCAPTCHA_SECRET_KEY", Ignored, PAGES),
    setting("PDS_HCAPTCHA_SITE_KEY", Ignored, PAGES),
    setting("PDS_HCAPTCHA_TOKEN_SALT", Ignored, PAGES),
    setting("PDS_HOME_URL", Ignored, PAGES),
    setting("PDS_INFO_COLOR", Ignored, PAGES),
    setting(
        "PDS_LEXICON_AUTHORITY_DID",
        Ignored,
        "has no effect: the authority of a lexicon is always looked up in DNS",
    ),
    setting("PDS_LOGO_URL", Ignored, PAGES),
    setting(
        "PDS_MAX_SUBSCRIPTION_BUFFER",
        Ignored,
        "has no effect: firehose subscribers have no buffers of their own; PDS_SUBSCRIBER_MEMORY bounds all of them together",
    ),
    setting("PDS_OAUTH_TRUSTED_CLIENTS", Ignored, PAGES),
    setting("PDS_PRIMARY_COLOR", Ignored, PAGES),
    setting("PDS_SEQUENCER_DB_LOCATION", Ignored, FILES),
    setting("PDS_SERVICE_NAME", Ignored, PAGES),
    setting(
        "PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT",
        RefusedIfTrue,
        "leaves checkpoints to a program that copies the write-ahead log; this server makes checkpoints itself, so such a copy would have gaps: use PostgreSQL with its own replication, or remove the setting",
    ),
    setting("PDS_SUCCESS_COLOR", Ignored, PAGES),
    setting("PDS_SUPPORT_URL", Ignored, PAGES),
    setting("PDS_VERSION", Ignored, "has no effect: /xrpc/_health answers with the release of this program"),
    setting("PDS_WARNING_COLOR", Ignored, PAGES),
];

const fn setting(name: &'static str, verdict: Verdict, reason: &'static str) -> ReferenceSetting {
    ReferenceSetting { name, verdict, reason }
}

/// The settings of the reference implementation among `names` that have no effect here.
pub fn ignored_names<I, S>(names: I) -> Vec<&'static ReferenceSetting>
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let mut found: Vec<_> = names.into_iter().filter_map(|name| find(name.as_ref())).collect();
    found.retain(|setting| setting.verdict == Ignored);
    found.sort_by_key(|setting| setting.name);
    found.dedup();
    found
}

/// The setting with this name, also in its `_FILE` form.
pub(crate) fn find(name: &str) -> Option<&'static ReferenceSetting> {
    let named = |name: &str| REFERENCE.iter().find(|setting| setting.name == name);
    named(name).or_else(|| named(name.strip_suffix("_FILE")?))
}

/// Those that are set and refused. Their values are not shown: some are secrets.
pub(crate) fn refused(lookup: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
    let value = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let is_refused = |setting: &&ReferenceSetting| {
        let file = format!("{}_FILE", setting.name);
        match (setting.verdict, value(setting.name)) {
            (Ignored, _) => false,
            (Refused, given) => given.is_some() || value(&file).is_some(),
            (RefusedIfTrue, given) => given.is_some_and(|given| given != "false" && given != "0"),
        }
    };
    let problem = |setting: &ReferenceSetting| Problem {
        variable: setting.name,
        value: None,
        message: setting.reason.to_owned(),
    };
    REFERENCE.iter().filter(is_refused).map(problem).collect()
}
