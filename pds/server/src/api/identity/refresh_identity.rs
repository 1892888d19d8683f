use axum::extract::State;

use super::resolve_identity::{IdentityInfo, ResolveIdentityParams, info};
use crate::{
    app::App,
    rate_limit::Client,
    xrpc::{Output, Procedure, Result},
};

/// `com.atproto.identity.refreshIdentity`
///
/// As `resolveIdentity`, but asks the servers that have document and handle, and forgets what was known before.
pub async fn refresh_identity(
    State(app): State<App>,
    client: Client,
    Procedure(input): Procedure<ResolveIdentityParams>,
) -> Result<Output<IdentityInfo>> {
    info(&app, &client, &input.identifier, true).await.map(Output)
}
