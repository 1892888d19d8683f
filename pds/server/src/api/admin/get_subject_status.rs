use axum::extract::State;
use pds_repo::Cid;
use pds_store::{
    account::{self, Account},
    blob, record,
};
use pds_syntax::{AtUri, Did};
use serde::Deserialize;
use serde_json::{Value, json};

use super::subject::{StatusAttr, Subject, not_found, record_of};
use crate::{
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.admin.getSubjectStatus`.
#[derive(Debug, Deserialize)]
pub struct GetSubjectStatusParams {
    did: Option<Did>,
    uri: Option<AtUri>,
    blob: Option<Cid>,
}

/// `com.atproto.admin.getSubjectStatus`
pub async fn get_subject_status(
    State(app): State<App>,
    Query(params): Query<GetSubjectStatusParams>,
) -> Result<Output<Value>> {
    let output = match params {
        GetSubjectStatusParams { blob: Some(_), did: None, .. } => {
            return Err(XrpcError::invalid("Must provide a did to request blob state"));
        }
        GetSubjectStatusParams { blob: Some(cid), did: Some(did), .. } => {
            let account = known(&app, &did).await?;
            let found = blob::get(&app.db, account.id, &cid).await?.ok_or_else(not_found)?;
            let takedown = StatusAttr::of(found.takedown_ref);
            json!({"subject": Subject::Blob { did, cid, record_uri: None }, "takedown": takedown})
        }
        GetSubjectStatusParams { uri: Some(uri), .. } => {
            let (did, path) = record_of(&uri)?;
            let account = known(&app, &did).await?;
            let (cid, reference) = record::takedown(&app.db, account.id, &path).await?.ok_or_else(not_found)?;
            json!({"subject": Subject::Record { uri, cid }, "takedown": StatusAttr::of(reference)})
        }
        GetSubjectStatusParams { did: Some(did), .. } => {
            let account = known(&app, &did).await?;
            let deactivated = json!({"applied": account.deactivated_at.is_some()});
            let takedown = StatusAttr::of(account.takedown_ref);
            json!({"subject": Subject::Account { did }, "takedown": takedown, "deactivated": deactivated})
        }
        _ => return Err(XrpcError::invalid("No provided subject")),
    };
    Ok(Output(output))
}

/// The account as the database has it now.
async fn known(app: &App, did: &Did) -> Result<Account> {
    let found = account::by_did(&app.db, did).await?.filter(Account::exists);
    found.ok_or_else(not_found)
}
