//! What posts contain beside text: images, links, other records.

use std::collections::HashMap;

use pds_syntax::AtUri;
use serde_json::{Value, json};

use super::{LocalRecord, Malformed, Viewer};

const IMAGES: &str = "app.bsky.embed.images";
const EXTERNAL: &str = "app.bsky.embed.external";
const RECORD: &str = "app.bsky.embed.record";
const RECORD_WITH_MEDIA: &str = "app.bsky.embed.recordWithMedia";

/// A question to the app view about a record that a post quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The record.
    pub uri: String,
    /// NSID of the query.
    pub method: &'static str,
    /// The parameter that names the record.
    pub parameter: &'static str,
}

/// The questions about the records that posts quote, each once.
#[must_use]
pub fn lookups(posts: &[LocalRecord]) -> Vec<Lookup> {
    let mut found: HashMap<&str, Lookup> = HashMap::new();
    for post in posts {
        let embed = &post.value["embed"];
        let quoted = match kind(embed) {
            RECORD => &embed["record"]["uri"],
            RECORD_WITH_MEDIA => &embed["record"]["record"]["uri"],
            _ => continue,
        };
        if let Some(uri) = quoted.as_str()
            && let Some(lookup) = lookup(uri)
        {
            found.insert(uri, lookup);
        }
    }
    found.into_values().collect()
}

fn lookup(uri: &str) -> Option<Lookup> {
    let collection = uri.parse::<AtUri>().ok()?;
    let (method, parameter) = match collection.collection()? {
        "app.bsky.feed.post" => ("app.bsky.feed.getPosts", "uris"),
        "app.bsky.feed.generator" => ("app.bsky.feed.getFeedGenerator", "feed"),
        "app.bsky.graph.list" => ("app.bsky.graph.getList", "list"),
        _ => return None,
    };
    Some(Lookup { uri: uri.to_owned(), method, parameter })
}

impl Lookup {
    /// How a post shows the record that the app view's answer describes; `None` if the app view does not know it.
    #[must_use]
    pub fn view(&self, answer: &Value) -> Option<Value> {
        let typed = |name: &str, value: &Value| {
            let mut view = value.as_object()?.clone();
            view.insert("$type".to_owned(), name.into());
            Some(Value::Object(view))
        };
        match self.parameter {
            "uris" => {
                let post = answer["posts"].get(0)?;
                let mut view = json!({"$type": "app.bsky.embed.record#viewRecord"});
                for (name, from) in
                    [("uri", "uri"), ("cid", "cid"), ("author", "author"), ("value", "record"), ("labels", "labels")]
                {
                    if let Some(value) = post.get(from) {
                        view[name] = value.clone();
                    }
                }
                if let Some(embed) = post.get("embed") {
                    view["embeds"] = json!([embed]);
                }
                view["indexedAt"] = post.get("indexedAt")?.clone();
                Some(view)
            }
            "feed" => typed("app.bsky.feed.defs#generatorView", answer.get("view")?),
            _ => typed("app.bsky.graph.defs#listView", answer.get("list")?),
        }
    }
}

impl Viewer<'_> {
    /// The view of what a post embeds; `None` for kinds that are not known.
    pub(super) fn embed(&self, embed: &Value) -> Result<Option<Value>, Malformed> {
        Ok(match kind(embed) {
            RECORD => Some(self.record(embed)?),
            RECORD_WITH_MEDIA => match self.media(&embed["media"])? {
                Some(media) => Some(json!({
                    "$type": "app.bsky.embed.recordWithMedia#view", "record": self.record(&embed["record"])?, "media": media,
                })),
                None => None,
            },
            _ => self.media(embed)?,
        })
    }

    fn media(&self, embed: &Value) -> Result<Option<Value>, Malformed> {
        match kind(embed) {
            IMAGES => self.images(embed).map(Some),
            EXTERNAL => self.external(embed).map(Some),
            _ => Ok(None),
        }
    }

    fn images(&self, embed: &Value) -> Result<Value, Malformed> {
        let images = embed["images"].as_array().ok_or(Malformed)?.iter().map(|image| {
            let mut view = json!({
                "thumb": self.image("feed_thumbnail", &image["image"])?,
                "fullsize": self.image("feed_fullsize", &image["image"])?,
            });
            for name in ["aspectRatio", "alt"] {
                if let Some(value) = image.get(name) {
                    view[name] = value.clone();
                }
            }
            Ok(view)
        });
        Ok(json!({"$type": "app.bsky.embed.images#view", "images": images.collect::<Result<Vec<_>, Malformed>>()?}))
    }

    fn external(&self, embed: &Value) -> Result<Value, Malformed> {
        let link = embed["external"].as_object().ok_or(Malformed)?;
        let mut view = json!({});
        for name in ["uri", "title", "description"] {
            if let Some(value) = link.get(name) {
                view[name] = value.clone();
            }
        }
        if let Some(thumb) = link.get("thumb") {
            view["thumb"] = self.image("feed_thumbnail", thumb)?;
        }
        Ok(json!({"$type": "app.bsky.embed.external#view", "external": view}))
    }

    fn record(&self, embed: &Value) -> Result<Value, Malformed> {
        let uri = embed["record"]["uri"].as_str().ok_or(Malformed)?;
        let not_found = || json!({"$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": true});
        let record = self.quoted.get(uri).cloned().unwrap_or_else(not_found);
        Ok(json!({"$type": "app.bsky.embed.record#view", "record": record}))
    }
}

fn kind(value: &Value) -> &str {
    value["$type"].as_str().unwrap_or_default()
}
