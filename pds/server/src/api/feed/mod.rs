//! `app.bsky.feed.*`.

mod get_actor_likes;
mod get_author_feed;
mod get_feed;
mod get_post_thread;
mod get_timeline;

pub use get_actor_likes::get_actor_likes;
pub use get_author_feed::get_author_feed;
pub use get_feed::get_feed;
pub use get_post_thread::get_post_thread;
pub use get_timeline::get_timeline;
