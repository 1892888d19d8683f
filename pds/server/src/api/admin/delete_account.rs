use axum::extract::State;
use pds_store::account;
use pds_syntax::Did;
use serde::Deserialize;

use super::account::by_did;
use crate::{
    account::deletion,
    app::App,
    job::account_purge,
    report::chain,
    xrpc::{Procedure, Result},
};

/// Input of `com.atproto.admin.deleteAccount`.
#[derive(Debug, Deserialize)]
pub struct DeleteAccountInput {
    did: Did,
}

/// `com.atproto.admin.deleteAccount`
///
/// As the account's own deletion: gone at once for everybody, its data after the grace period of the host.
pub async fn delete_account(State(app): State<App>, Procedure(input): Procedure<DeleteAccountInput>) -> Result<()> {
    let found = by_did(&app, &input.did).await?;
    let (now, grace) = (app.clock.now_us(), app.settings.mail.delete_grace);
    let mut tx = app.db.begin().await?;
    if let Some(account) = account::lock(&mut tx, found.id).await? {
        deletion::delete(&mut tx, &account, now, grace).await?;
    }
    tx.commit().await?;
    tracing::info!(account.did = %input.did, "an administrator deleted {}", input.did);
    if grace.is_zero() {
        let (app, did) = (app.clone(), input.did);
        tokio::spawn(async move {
            // The job tries again later.
            if let Err(error) = account_purge::run(app.db.clone(), app.blobs.clone(), grace, now).await {
                tracing::warn!(account.did = %did, error = chain(&*error), "the data of {did} is not removed yet");
            }
        });
    }
    Ok(())
}
