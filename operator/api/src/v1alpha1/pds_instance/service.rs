//! What a `PdsInstance` says about accounts, mail and cache. A class can say it for all of its instances.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{SecretKey, quantity, rule};
use super::MailTemplate;

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
    /// When accounts began to get invite codes of their own, for example `2026-01-01T00:00:00Z`: time before it does not count. The beginning
    /// of each account if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 35), extend("format" = "date-time"))]
    pub invites_since: Option<String>,
    /// Public key of a recovery key that its owner keeps offline, as `did:key`. Every new `did:plc` gets it as its first rotation key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 10, max = 128), pattern("^did:key:z[1-9A-HJ-NP-Za-km-z]+$"))]
    pub recovery_did_key: Option<String>,
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
    /// Language of the mails to users whose app asks for none that there are templates of, for example `pt-br`; `en` if absent. Languages other than `en` need
    /// templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35))]
    pub language: Option<String>,
    /// Mails in words of the host's own, and in other languages; the built-in ones, in English, if absent. At most 131072 bytes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub templates: Option<Vec<MailTemplate>>,
    /// Whether a mail that confirms an address has a link beside its code, which opens the Bluesky app; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation_link: Option<bool>,
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
