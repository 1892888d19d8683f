//! Who a request comes from. The table of methods says which credential a method asks for; it is checked before the handler runs, which takes it by
//! an extractor.

mod admin;
mod caller;
mod header;
mod moderator;
mod principal;
mod refusal;
mod requirement;
mod scope;
mod service;
mod session;
mod token;

pub use admin::is_admin;
pub use caller::Caller;
pub use principal::principal;
pub(crate) use refusal::{account_takedown, may_bring, may_write, missing_scope};
pub use requirement::{Requirement, authorize};
pub use service::{Issuer, OptionalIssuer, Trust};
pub use session::{Access, Refresh, Viewer};
pub use token::{issue_access, issue_refresh, session_of};
