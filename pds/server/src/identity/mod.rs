//! Handles: which ones this host gives out, whose they are, and how an account changes its own.

mod reserved;
pub mod update;

use pds_store::account;
use pds_syntax::{Did, Handle};

use crate::app::App;

/// Why a handle cannot be had. `name` is the XRPC error.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Not a handle that may be used here.
    #[error("{0}")]
    Invalid(String),
    /// Kept for the host.
    #[error("Reserved handle")]
    Reserved,
    /// A domain that this host does not serve.
    #[error("Not a supported handle domain")]
    Unsupported,
    /// Somebody has it.
    #[error("Handle already taken: {0}")]
    Taken(Handle),
}

impl HandleError {
    /// The error name of an XRPC answer.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidHandle",
            Self::Reserved | Self::Taken(_) => "HandleNotAvailable",
            Self::Unsupported => "UnsupportedDomain",
        }
    }
}

/// The handle domain of this host that `handle` is under, with its leading dot.
fn own_domain<'a>(app: &'a App, handle: &Handle) -> Option<&'a str> {
    app.settings.identity.handle_domains.iter().map(String::as_str).find(|domain| handle.label_under(domain).is_some())
}

/// Checks that an account with `did` may use `handle`: the rules of this host, or for other domains that it resolves to the DID.
pub async fn check(app: &App, handle: &Handle, did: Option<&Did>) -> Result<(), HandleError> {
    if handle.is_disallowed_tld() {
        return Err(HandleError::Invalid(format!("Handle TLD is invalid or disallowed: {handle}")));
    }
    if let Some(label) = own_domain(app, handle).and_then(|domain| handle.label_under(domain)) {
        let invalid = HandleError::Invalid;
        return match label.len() {
            _ if label.contains('.') => Err(invalid(format!("Invalid characters in handle: {label} has a dot"))),
            0..3 => Err(invalid(format!("Handle too short: {label} has {}, at least 3 characters", label.len()))),
            19.. => Err(invalid(format!("Handle too long: {label} has {}, at most 18 characters", label.len()))),
            _ if reserved::LABELS.contains(&label) => Err(HandleError::Reserved),
            _ => Ok(()),
        };
    }
    let Some(did) = did else { return Err(HandleError::Unsupported) };
    // Past the cache: the record that proves it was often set a moment ago.
    match app.resolver.refresh_handle(handle).await {
        Ok(found) if found == *did => Ok(()),
        _ => Err(HandleError::Invalid(format!("External handle did not resolve to DID: {handle}"))),
    }
}

/// The DID behind a handle: this host's accounts from the database, others from the network.
pub async fn resolve(app: &App, handle: &Handle) -> Result<Option<Did>, pds_store::Error> {
    let own = account::by_handle(&app.db, handle).await?;
    if let Some(account) = own.filter(|account| account.status() == account::Status::Active) {
        return Ok(Some(account.did));
    }
    // A name below our own domains is either ours or nobody's.
    if own_domain(app, handle).is_some() {
        return Ok(None);
    }
    Ok(app.resolver.handle(handle).await.ok())
}
