//! Invite codes: how often each may be used, and by whom it was.

mod account;
mod code;
mod list;

pub use account::{Routine, is_disabled, routine, set_disabled};
pub(crate) use code::GET;
pub use code::{Invite, consume, create, disable, disable_of, get, is_usable};
pub use list::{By, Place, Use, of_account, page, used_by, uses};
pub(crate) use list::{OF_ACCOUNT, RECENT, USAGE, USED_BY};
