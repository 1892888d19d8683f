//! `com.atproto.admin.*`, and `dev.auroralocus.admin.*`, which this project adds.

mod account;
mod account_invites;
mod delete_account;
mod disable_invite_codes;
mod get_account_info;
mod get_account_infos;
mod get_invite_codes;
mod get_subject_status;
mod list_jobs;
mod run_job;
mod search_accounts;
mod send_email;
mod subject;
mod update_account_email;
mod update_account_handle;
mod update_account_password;
mod update_account_signing_key;
mod update_subject_status;

pub use account_invites::{disable_account_invites, enable_account_invites};
pub use delete_account::delete_account;
pub use disable_invite_codes::disable_invite_codes;
pub use get_account_info::get_account_info;
pub use get_account_infos::get_account_infos;
pub use get_invite_codes::get_invite_codes;
pub use get_subject_status::get_subject_status;
pub use list_jobs::list_jobs;
pub use run_job::run_job;
pub use search_accounts::search_accounts;
pub use send_email::send_email;
pub use update_account_email::update_account_email;
pub use update_account_handle::update_account_handle;
pub use update_account_password::update_account_password;
pub use update_account_signing_key::update_account_signing_key;
pub use update_subject_status::update_subject_status;
