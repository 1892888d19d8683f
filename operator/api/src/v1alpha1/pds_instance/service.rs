//! What a `PdsInstance` says about accounts, limits, mail, cache and logs. A class can say some of it for all of its instances.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Quantity, SecretKey, quantity, rule};

/// Invitations, and the contact and documents of the host that the server names to clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Whether a new account needs an invite code; `Required` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invites: Option<Invites>,
    /// How often an account gets an invite code of its own, for example `7d`; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(quantity::DURATION))]
    pub invite_interval: Option<String>,
    /// The address that the server gives for contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 254))]
    pub contact_email: Option<String>,
    /// Address of the host's privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("privacyPolicyUrl"))]
    pub privacy_policy_url: Option<String>,
    /// Address of the host's terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("termsOfServiceUrl"))]
    pub terms_of_service_url: Option<String>,
}

/// Whether a new account needs an invite code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Invites {
    /// A code is needed.
    Required,
    /// Anybody may make an account.
    Open,
}

/// Limits for users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The largest blob in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub blob_max_bytes: Option<i64>,
    /// Maximum size of all records and blobs of one account together, for example `10Gi`; no maximum if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_quota: Option<Quantity>,
    /// Whether accounts may bring a repository from another server; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_imports: Option<bool>,
    /// The largest repository that an account may bring, for example `1Gi`; 256Mi if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_import_max: Option<Quantity>,
    /// Limits on the rate of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limits: Option<RateLimits>,
}

/// Limits on the rate of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// Whether requests beyond the limits are refused; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// How mail is sent to users. Without it no mail is sent, and methods that need mail answer `EmailNotConfigured`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    /// The key of a Secret that holds the URL of the SMTP server: `smtps://user:password@host:port`, or `smtp://` for STARTTLS.
    pub smtp_secret: SecretKey,
    /// The sender: an address, or `Name <address>`.
    #[schemars(length(min = 3, max = 320))]
    pub from: String,
    /// What accounts may do only with a confirmed address; nothing if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub required_for: Option<Vec<NeedsEmail>>,
    /// Language of the mails, for example `en` or `pt-br`; `en` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35))]
    pub language: Option<String>,
    /// Server and sender of mails that administrators and moderators write; those of the other mails if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<ModerationEmail>,
}

/// How mail of administrators and moderators is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModerationEmail {
    /// The key of a Secret that holds the URL of the SMTP server.
    pub smtp_secret: SecretKey,
    /// The sender of these mails: an address, or `Name <address>`.
    #[schemars(length(min = 3, max = 320))]
    pub from: String,
}

/// Something for which an account may need a confirmed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NeedsEmail {
    /// Creating and changing records.
    Post,
    /// Calling `com.atproto.repo.uploadBlob`.
    Upload,
    /// Having invite codes.
    Invite,
}

/// A Redis server, which makes rate limits exact over several pods. Without it each pod counts for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    /// The key of a Secret that holds the `redis://` or `rediss://` URL.
    pub url_secret: SecretKey,
}

/// What the pods write to their logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// `Json` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<LogFormat>,
    /// A level, or a list of levels by module, for example `info,pds_server::mail=debug`; `info` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub level: Option<String>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for a terminal.
    Text,
}
