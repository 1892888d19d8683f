//! How the app view would show an account's records.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{LocalRecord, Malformed};

/// What is needed to show the records of an account.
#[derive(Debug)]
pub struct Viewer<'a> {
    /// DID of the account.
    pub did: &'a str,
    /// Handle of the account.
    pub handle: &'a str,
    /// Its profile record, if it has one.
    pub profile: Option<&'a Value>,
    /// Where images are.
    pub images: &'a Images,
    /// Answers to the [`lookups`](super::lookups) of the records, by URI; those that the app view does not know are absent.
    pub quoted: &'a HashMap<String, Value>,
}

/// Where clients find images.
#[derive(Clone, Debug)]
pub enum Images {
    /// At an image server: a URL with three `%s`, for kind of image, DID and CID.
    Pattern(String),
    /// At the PDS with this URL.
    Pds(String),
}

impl Images {
    fn url(&self, kind: &str, did: &str, cid: &str) -> String {
        match self {
            Self::Pattern(pattern) => {
                let mut parts = pattern.splitn(4, "%s");
                let mut next = || parts.next().unwrap_or_default();
                let (begin, after_kind, after_did, end) = (next(), next(), next(), next());
                format!("{begin}{kind}{after_kind}{did}{after_did}{cid}{end}")
            }
            Self::Pds(url) => format!("{url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}"),
        }
    }
}

impl Viewer<'_> {
    /// The URL of an image of this account, as `kind`.
    pub(super) fn image(&self, kind: &str, blob: &Value) -> Result<Value, Malformed> {
        // The second form is the one that records had until 2023.
        let cid = blob["ref"]["$link"].as_str().or_else(|| blob["cid"].as_str()).ok_or(Malformed)?;
        Ok(self.images.url(kind, self.did, cid).into())
    }

    /// The account as author.
    fn author(&self) -> Result<Value, Malformed> {
        let mut author = json!({"did": self.did, "handle": self.handle});
        if let Some(profile) = self.profile {
            if let Some(name) = profile.get("displayName") {
                author["displayName"] = name.clone();
            }
            if let Some(avatar) = profile.get("avatar") {
                author["avatar"] = self.image("avatar", avatar)?;
            }
        }
        Ok(author)
    }

    /// A post of this account. Nobody has reacted to it yet, as far as is known.
    pub(super) fn post(&self, post: &LocalRecord) -> Result<Value, Malformed> {
        let LocalRecord { uri, cid, indexed_at, value, .. } = post;
        let mut view = json!({
            "uri": uri, "cid": cid, "likeCount": 0, "replyCount": 0, "repostCount": 0, "quoteCount": 0,
            "author": self.author()?, "record": value,
        });
        if let Some(embed) = value.get("embed").map(|embed| self.embed(embed)).transpose()?.flatten() {
            view["embed"] = embed;
        }
        view["indexedAt"] = indexed_at.clone().into();
        Ok(view)
    }
}
