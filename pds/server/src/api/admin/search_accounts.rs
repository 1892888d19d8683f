use axum::extract::State;
use pds_store::{AccountId, account};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::view;
use crate::{
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.admin.searchAccounts`.
#[derive(Debug, Deserialize)]
pub struct SearchAccountsParams {
    email: Option<String>,
    cursor: Option<String>,
    limit: u32,
}

/// `com.atproto.admin.searchAccounts`
///
/// With an e-mail address or its beginning, the accounts with such addresses; without, all accounts.
pub async fn search_accounts(
    State(app): State<App>,
    Query(params): Query<SearchAccountsParams>,
) -> Result<Output<Value>> {
    let SearchAccountsParams { email, cursor, limit } = params;
    let (found, cursor) = match email.filter(|email| !email.is_empty()) {
        Some(email) => {
            let found = account::by_email_prefix(&app.db, &email, cursor.as_deref(), limit).await?;
            let cursor = found.last().and_then(|last| last.email.clone());
            (found, cursor)
        }
        None => {
            let malformed = || XrpcError::invalid("Malformed cursor");
            let after = cursor.map(|cursor| cursor.parse().map(AccountId).map_err(|_| malformed())).transpose()?;
            let found = account::all(&app.db, after, limit).await?;
            let cursor = found.last().map(|last| last.id.to_string());
            (found, cursor)
        }
    };
    let is_full = found.len() == limit as usize;
    let mut accounts = Vec::with_capacity(found.len());
    for account in &found {
        accounts.push(view(&app, account).await?);
    }
    let mut output = json!({"accounts": accounts});
    if let Some(cursor) = cursor.filter(|_| is_full) {
        output["cursor"] = cursor.into();
    }
    Ok(Output(output))
}
