//! `com.atproto.server.*`.

mod create_account;
mod create_app_password;
mod create_invite_code;
mod create_session;
mod delete_session;
mod describe_server;
mod get_session;
mod list_app_passwords;
mod refresh_session;
mod revoke_app_password;
mod session;

pub use create_account::create_account;
pub use create_app_password::create_app_password;
pub use create_invite_code::{create_invite_code, create_invite_codes};
pub use create_session::create_session;
pub use delete_session::delete_session;
pub use describe_server::describe_server;
pub use get_session::get_session;
pub use list_app_passwords::list_app_passwords;
pub use refresh_session::refresh_session;
pub use revoke_app_password::revoke_app_password;
