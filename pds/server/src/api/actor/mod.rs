//! `app.bsky.actor.*`.

mod get_preferences;
mod get_profile;
mod get_profiles;
mod put_preferences;

pub use get_preferences::get_preferences;
pub use get_profile::get_profile;
pub use get_profiles::get_profiles;
pub use put_preferences::put_preferences;
