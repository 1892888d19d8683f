//! `com.atproto.temp.*`.

mod add_reserved_handle;
mod check_handle_availability;
mod check_signup_queue;
mod revoke_account_credentials;
