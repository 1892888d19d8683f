//! `com.atproto.admin.*`.

mod get_subject_status;
mod subject;
mod update_account_signing_key;
mod update_subject_status;

pub use get_subject_status::get_subject_status;
pub use update_account_signing_key::update_account_signing_key;
pub use update_subject_status::update_subject_status;
