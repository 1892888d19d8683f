use axum::extract::State;

use super::resolve_identity::{IdentityInfo, ResolveIdentityParams, info};
use crate::{
    app::App,
    xrpc::{Output, Procedure, Result},
};

/// `com.atproto.identity.refreshIdentity`
///
/// As `resolveIdentity`, but asks the servers that have document and handle, and forgets what was known before.
pub async fn refresh_identity(
    State(app): State<App>,
    Procedure(input): Procedure<ResolveIdentityParams>,
) -> Result<Output<IdentityInfo>> {
    info(&app, &input.identifier, true).await.map(Output)
}
