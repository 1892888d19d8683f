use axum::extract::State;
use pds_repo::Cid;
use pds_store::{AccountId, account::Status, repo};
use pds_syntax::{Did, Tid};
use serde::{Deserialize, Serialize};

use crate::{
    api::inactive,
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.listRepos`.
#[derive(Debug, Deserialize)]
pub struct ListReposParams {
    limit: u32,
    cursor: Option<String>,
}

/// Output of `com.atproto.sync.listRepos`.
#[derive(Debug, Serialize)]
pub struct ListReposOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    repos: Vec<Listed>,
}

/// One repository.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    did: Did,
    head: Cid,
    rev: Tid,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// `com.atproto.sync.listRepos`
///
/// In the order in which the accounts came; the cursor is a key that never changes, so nothing is lost or repeated meanwhile.
pub async fn list_repos(
    State(app): State<App>,
    Query(params): Query<ListReposParams>,
) -> Result<Output<ListReposOutput>> {
    let after = params.cursor.as_deref().map(str::parse::<i64>).transpose();
    let after = after.map_err(|_| XrpcError::invalid("Params/cursor: Malformed cursor"))?.map(AccountId);
    let found = repo::list(&app.db, after, params.limit, app.clock.now_us()).await?;
    let full = found.len() == params.limit as usize;
    let cursor = found.last().filter(|_| full).map(|last| last.account_id.0.to_string());
    let repos = found.into_iter().map(|repo| Listed {
        active: repo.status == Status::Active,
        status: inactive(repo.status),
        did: repo.did,
        head: repo.commit,
        rev: repo.rev,
    });
    Ok(Output(ListReposOutput { cursor, repos: repos.collect() }))
}
