//! The XRPC methods, one file each, in the folders of their lexicons.

pub mod actor;
pub mod admin;
mod car;
pub mod feed;
pub mod identity;
mod invite;
pub mod lexicon;
pub mod moderation;
pub mod notification;
pub mod permission;
pub mod proxy;
pub mod repo;
pub mod server;
pub mod sync;
pub mod table;
pub mod temp;

use std::{fmt::Display, sync::Arc};

use pds_store::account::{Account, Status};
use pds_syntax::{AtIdentifier, Did};

use crate::{app::App, auth::Viewer, xrpc::XrpcError};

/// The account that a write method's `repo` names, if it is the caller's own.
fn own_repo(repo: &AtIdentifier, caller: &Account) -> Result<(), XrpcError> {
    let own = match repo {
        AtIdentifier::Did(did) => *did == caller.did,
        AtIdentifier::Handle(handle) => *handle == caller.handle,
    };
    if own { Ok(()) } else { Err(XrpcError::auth_required("Authentication Required")) }
}

/// The answer when a read method's `repo` names no active account.
fn no_repo(repo: &AtIdentifier) -> XrpcError {
    XrpcError::invalid(format!("Could not find repo: {repo}"))
}

/// The account whose repository a sync method reads; those that are not active only for their owner and the administrator.
async fn synced(app: &App, did: &Did, viewer: &Viewer) -> Result<Arc<Account>, XrpcError> {
    let found = app.accounts.by_did(did).await?;
    if viewer.is_owner_or_admin(did) {
        return found.ok_or_else(|| XrpcError::repo_not_found(did));
    }
    open(found, did)
}

/// The account, if everybody may read its repository. `repo` is the identifier that the client sent.
fn open(found: Option<Arc<Account>>, repo: &impl Display) -> Result<Arc<Account>, XrpcError> {
    let account = found.ok_or_else(|| XrpcError::repo_not_found(repo))?;
    match account.status() {
        Status::Active => Ok(account),
        Status::TakenDown => Err(XrpcError::named("RepoTakendown", format!("Repo has been takendown: {repo}"))),
        Status::Deactivated => Err(XrpcError::named("RepoDeactivated", format!("Repo has been deactivated: {repo}"))),
        Status::Creating | Status::Deleted => Err(XrpcError::repo_not_found(repo)),
    }
}
