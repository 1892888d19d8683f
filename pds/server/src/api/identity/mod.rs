//! `com.atproto.identity.*`.

mod resolve_handle;
mod update_handle;

pub use resolve_handle::resolve_handle;
pub use update_handle::update_handle;
