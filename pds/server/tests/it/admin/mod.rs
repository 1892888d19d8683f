//! `com.atproto.admin.*` and `dev.auroralocus.admin.*`.

mod create_invite_codes;
mod credential;
mod delete_account;
mod disable_account_invites;
mod disable_invite_codes;
mod enable_account_invites;
mod get_account;
mod get_account_info;
mod get_account_infos;
mod get_invite_codes;
mod get_subject_status;
mod list_jobs;
mod restore_account;
mod run_job;
mod search_accounts;
mod send_email;
mod set_quota;
mod subject_status;
mod suspend_account;
mod unsuspend_account;
mod update_account_email;
mod update_account_handle;
mod update_account_password;
mod update_account_signing_key;
mod update_subject_status;

use serde_json::json;
use tokio::task::JoinHandle;

use crate::harness::{Answer, Person};

/// Four clients of an account that write until they are refused, and how.
fn writers(person: &Person) -> Vec<JoinHandle<Answer>> {
    let writer = |person: Person| async move {
        loop {
            let answer = person.create("com.example.thing", json!({})).await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    (0..4).map(|_| tokio::spawn(writer(person.clone()))).collect()
}
