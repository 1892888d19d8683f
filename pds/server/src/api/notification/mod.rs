//! `app.bsky.notification.*`.

mod register_push;

pub use register_push::{register_push, unregister_push};
