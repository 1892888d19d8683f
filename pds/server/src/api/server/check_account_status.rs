use axum::extract::State;
use pds_store::{
    account::Status,
    blob,
    repo::{self, Root},
};
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::Access,
    identity::identities::Error,
    rate_limit::Client,
    xrpc::{Output, Result, XrpcError},
};

/// `com.atproto.server.checkAccountStatus`
///
/// How far an account that moves here has come.
pub async fn check_account_status(State(app): State<App>, access: Access, client: Client) -> Result<Output<Value>> {
    let account = &access.account;
    let valid_did = match app.identities.check(account).await {
        Ok(()) => true,
        Err(Error::Unfit(_) | Error::Tombstoned | Error::Unresolved { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let counts = app.actors.counts(account, &client.subject).await?;
    let imported = blob::count(&app.db, account.id).await?;
    let root = repo::root(&app.db, account.id).await?;
    let Root { head, record_count, .. } = root.ok_or_else(|| XrpcError::repo_not_found(&account.did))?;
    Ok(Output(json!({
        "activated": account.status_at(app.clock.now_us()) == Status::Active,
        "validDid": valid_did,
        "repoCommit": head.commit,
        "repoRev": head.rev,
        "repoBlocks": counts.blocks,
        "indexedRecords": record_count,
        "privateStateValues": 0,
        "expectedBlobs": counts.blobs,
        "importedBlobs": imported,
    })))
}
