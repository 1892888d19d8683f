use axum::extract::State;
use pds_store::email_token::Purpose;

use crate::{app::App, auth::Access, mail::Languages, xrpc::Result};

/// `com.atproto.server.requestAccountDelete`
pub async fn request_account_delete(State(app): State<App>, access: Access, languages: Languages) -> Result<()> {
    Ok(app.emails.request(&access.account, Purpose::DeleteAccount, &languages).await?)
}
