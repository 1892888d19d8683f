//! `com.atproto.temp.*`: methods that the protocol may change.

mod add_reserved_handle;
mod check_handle_availability;
mod check_signup_queue;
mod revoke_account_credentials;

pub use add_reserved_handle::add_reserved_handle;
pub use check_handle_availability::check_handle_availability;
pub use check_signup_queue::check_signup_queue;
pub use revoke_account_credentials::revoke_account_credentials;
