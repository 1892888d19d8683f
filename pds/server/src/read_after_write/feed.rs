//! Feeds.

use serde_json::{Value, json};

use super::{Local, LocalRecord, Malformed, Viewer};

impl Viewer<'_> {
    /// The answer of `getTimeline`.
    pub(super) fn timeline(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        self.insert(feed(original)?, &local.posts)
    }

    /// The answer of `getAuthorFeed`. The feed is the account's own if it begins with a post or repost of it.
    pub(super) fn author_feed(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        let Some(first) = feed(original)?.first() else { return Ok(()) };
        let is_own = match first.get("reason") {
            None => first["post"]["author"]["did"] == self.did,
            Some(reason) => reason["$type"] == "app.bsky.feed.defs#reasonRepost" && reason["by"]["did"] == self.did,
        };
        if !is_own {
            return Ok(());
        }
        self.actor_likes(original, local)?;
        self.insert(feed(original)?, &local.posts)
    }

    /// The answer of `getActorLikes`: the author of the account's own posts.
    pub(super) fn actor_likes(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        let Some(profile) = &local.profile else { return Ok(()) };
        let authors = feed(original)?.iter_mut().filter_map(|item| item.get_mut("post")?.get_mut("author"));
        for author in authors.filter(|author| author["did"] == self.did) {
            self.update_basic(author, &profile.value)?;
        }
        Ok(())
    }

    /// Inserts posts where their times belong. Posts before the end of the feed belong to its next page.
    fn insert(&self, feed: &mut Vec<Value>, posts: &[LocalRecord]) -> Result<(), Malformed> {
        let time = |item: &Value| item["post"]["indexedAt"].as_str().map(str::to_owned).ok_or(Malformed);
        let end = feed.last().map(time).transpose()?.unwrap_or_default();
        for post in posts.iter().rev().filter(|post| post.indexed_at > end) {
            let item = json!({"post": self.post(post)?});
            let older = |item: &Value| item["post"]["indexedAt"].as_str().is_some_and(|time| time < &*post.indexed_at);
            let place = feed.iter().position(older).unwrap_or(feed.len());
            feed.insert(place, item);
        }
        Ok(())
    }
}

fn feed(original: &mut Value) -> Result<&mut Vec<Value>, Malformed> {
    original.get_mut("feed").and_then(Value::as_array_mut).ok_or(Malformed)
}
