//! `dev.auroralocus.account.*`: what this project adds for the owners of accounts.

mod create_app_password;
mod get_export;

pub use create_app_password::create_app_password;
pub use get_export::get_export;
