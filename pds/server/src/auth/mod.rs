//! Who a request comes from. One extractor per kind of credential; a handler's signature says which one it needs.

mod admin;
mod caller;
mod principal;
mod refusal;
mod session;
mod token;

pub use admin::{Admin, is_admin};
pub use caller::Caller;
pub use principal::principal;
pub(crate) use refusal::{account_takedown, may_write};
pub use session::{Access, Bearer, Refresh, Viewer};
pub use token::{issue_access, issue_refresh};
