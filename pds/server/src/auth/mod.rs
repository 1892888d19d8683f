//! Who a request comes from. One extractor per kind of credential; a handler's signature says what it asks for.

mod admin;
mod session;

pub use admin::{Admin, is_admin};
pub(crate) use session::account_takedown;
pub use session::{Access, Bearer, Refresh, Viewer, issue_access, issue_refresh};
