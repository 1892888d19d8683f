//! The scopes of access tokens that a method may accept.

use pds_crypto::session_token::Scope;

/// Sessions that were created with the account's password.
pub(super) const FULL_SESSION: &[Scope] = &[Scope::Access];
/// With those of an account that was taken down.
pub(super) const FULL_SESSION_OR_TAKENDOWN: &[Scope] = &[Scope::Access, Scope::Takendown];
/// Sessions that were created with the account's password or an app password.
pub(super) const ANY_SESSION: &[Scope] =
    &[Scope::Access, Scope::AppPass, Scope::AppPassPrivileged, Scope::AppPassLimited];
/// With those of an account that was taken down.
pub(super) const ANY_SESSION_OR_TAKENDOWN: &[Scope] =
    &[Scope::Access, Scope::AppPass, Scope::AppPassPrivileged, Scope::AppPassLimited, Scope::Takendown];
