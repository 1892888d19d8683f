use axum::extract::State;
use pds_store::email_token::Purpose;

use crate::{app::App, auth::Access, identity::identities::Error, mail::Languages, xrpc::Result};

/// `com.atproto.identity.requestPlcOperationSignature`
pub async fn request_plc_operation_signature(
    State(app): State<App>,
    access: Access,
    languages: Languages,
) -> Result<()> {
    let account = &access.account;
    if account.did.method() != "plc" {
        return Err(Error::NotPlc(account.did.clone()).into());
    }
    Ok(app.emails.request(account, Purpose::PlcOperation, &languages).await?)
}
