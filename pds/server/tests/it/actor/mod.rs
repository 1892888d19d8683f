//! `app.bsky.actor.*`.

mod get_preferences;
mod get_profile;
mod get_profiles;
mod put_preferences;

use serde_json::{Value, json};

use crate::feed::start;

fn saved_feeds() -> Value {
    json!({"$type": "app.bsky.actor.defs#savedFeedsPref", "pinned": [], "saved": []})
}
