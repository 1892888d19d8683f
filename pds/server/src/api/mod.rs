//! The XRPC methods, one file each, in the folders of their lexicons.

pub mod account;
pub mod actor;
pub mod admin;
mod archive;
pub mod blob;
mod car;
pub mod feed;
pub mod identity;
mod invite;
pub mod lexicon;
pub mod limits;
pub mod moderation;
pub mod notification;
pub mod permission;
pub mod proxy;
pub mod repo;
pub mod server;
mod session;
pub mod sync;
pub mod table;
pub mod temp;

use std::{fmt::Display, sync::Arc};

use pds_store::account::{Account, Status};
use pds_syntax::{AtIdentifier, Datetime, Did};

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
    open(found, did, app.clock.now_us())
}

/// A time that a client has sent and that must not have passed by `now`; in microseconds.
fn future(field: &str, time: &Datetime, now: i64) -> Result<i64, XrpcError> {
    let micros = time.as_str().parse().map(|time: jiff::Timestamp| time.as_microsecond()).ok();
    let in_future = micros.filter(|micros| *micros > now);
    in_future.ok_or_else(|| XrpcError::invalid(format!("{field} must be in the future (got \"{time}\")")))
}

/// The protocol's word for a state other than active.
fn inactive(status: Status) -> Option<&'static str> {
    match status {
        Status::Active | Status::Creating | Status::Deleted => None,
        Status::Deactivated => Some("deactivated"),
        Status::Suspended { .. } => Some("suspended"),
        Status::TakenDown => Some("takendown"),
    }
}

/// The account, if everybody may read its repository at `now`, in microseconds. `repo` is the identifier that the client sent.
fn open(found: Option<Arc<Account>>, repo: &impl Display, now: i64) -> Result<Arc<Account>, XrpcError> {
    let account = found.ok_or_else(|| XrpcError::repo_not_found(repo))?;
    match account.status_at(now) {
        Status::Active => Ok(account),
        Status::TakenDown => Err(XrpcError::named("RepoTakendown", format!("Repo has been takendown: {repo}"))),
        Status::Suspended { .. } => Err(XrpcError::named("RepoSuspended", format!("Repo has been suspended: {repo}"))),
        Status::Deactivated => Err(XrpcError::named("RepoDeactivated", format!("Repo has been deactivated: {repo}"))),
        Status::Creating | Status::Deleted => Err(XrpcError::repo_not_found(repo)),
    }
}
