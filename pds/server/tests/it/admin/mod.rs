//! `com.atproto.admin.*`.

mod subject_status;
mod update_account_signing_key;
