//! `app.bsky.actor.*`.

mod preferences;
