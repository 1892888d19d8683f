//! `com.atproto.server.*`.

mod activate_account;
mod check_account_status;
mod create_account;
mod create_app_password;
mod create_invite_code;
mod create_session;
mod deactivate_account;
mod delete_session;
mod describe_server;
mod get_session;
mod list_app_passwords;
mod refresh_session;
mod reserve_signing_key;
mod revoke_app_password;
mod session;

pub use activate_account::activate_account;
pub use check_account_status::check_account_status;
pub use create_account::create_account;
pub use create_app_password::create_app_password;
pub use create_invite_code::{create_invite_code, create_invite_codes};
pub use create_session::create_session;
pub use deactivate_account::deactivate_account;
pub use delete_session::delete_session;
pub use describe_server::describe_server;
pub use get_session::get_session;
pub use list_app_passwords::list_app_passwords;
pub use refresh_session::refresh_session;
pub use reserve_signing_key::reserve_signing_key;
pub use revoke_app_password::revoke_app_password;
