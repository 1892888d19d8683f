//! The services of the network that a PDS uses.
//!
//! A class names them, and an instance only where the class allows that: a PDS passes requests of its users on to them, at whatever address
//! they are.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rule;

/// The services of the network that a PDS uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Services {
    /// The app view, which answers the requests of clients that a PDS does not answer itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_view: Option<RemoteService>,
    /// Where clients find images: a URL with three `%s`, for the kind of image, the DID and the CID. `getBlob` of the PDS if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image_url_pattern: Option<String>,
    /// The moderation service: it may take accounts and records down with its own tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<RemoteService>,
    /// The service that takes reports; the moderation service if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<RemoteService>,
    /// Relays that are asked to crawl an instance after it has written, for example `https://bsky.network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)))]
    pub crawlers: Option<Vec<String>>,
}

/// A service of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteService {
    /// Its origin, for example `https://api.bsky.app`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("url"))]
    pub url: String,
    /// Its DID, for example `did:web:api.bsky.app`.
    #[schemars(length(min = 7, max = 512), pattern("^did:[a-z]+:[a-zA-Z0-9._:%-]+$"))]
    pub did: String,
}
