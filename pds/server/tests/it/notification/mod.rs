//! `app.bsky.notification.*`.

mod register_push;
