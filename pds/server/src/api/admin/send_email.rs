use axum::extract::State;
use pds_store::account::{self, Account};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Characters of a subject, and bytes of a content.
const MAX_SUBJECT_CHARS: usize = 200;
const MAX_CONTENT_BYTES: usize = 100 * 1024;

/// Input of `com.atproto.admin.sendEmail`. A comment is for the sender's own records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendEmailInput {
    recipient_did: Did,
    content: String,
    subject: Option<String>,
    sender_did: Did,
}

/// `com.atproto.admin.sendEmail`
///
/// The mail is queued, and sent in the name of the host's moderation.
pub async fn send_email(State(app): State<App>, Procedure(input): Procedure<SendEmailInput>) -> Result<Output<Value>> {
    let SendEmailInput { recipient_did: did, content, subject, sender_did } = input;
    let subject = subject.unwrap_or_else(|| "Message via your PDS".to_owned());
    if subject.chars().count() > MAX_SUBJECT_CHARS {
        return Err(XrpcError::invalid(format!("Input/subject must have at most {MAX_SUBJECT_CHARS} characters")));
    }
    if content.len() > MAX_CONTENT_BYTES {
        return Err(XrpcError::invalid(format!("Input/content must have at most {MAX_CONTENT_BYTES} bytes")));
    }
    let found = account::by_did(&app.db, &did).await?.filter(Account::exists);
    let account = found.ok_or_else(|| XrpcError::invalid("Recipient not found"))?;
    if account.email.is_none() {
        return Err(XrpcError::invalid("account does not have an email address"));
    }
    app.emails.moderate(&account, &subject, &content).await?;
    tracing::info!(account.did = %did, sender.did = %sender_did, "an administrator sent a mail to {did}");
    Ok(Output(json!({"sent": true})))
}
