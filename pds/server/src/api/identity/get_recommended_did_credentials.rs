use axum::extract::State;

use crate::{
    app::App,
    auth::Access,
    identity::identities::Credentials,
    xrpc::{Output, Result},
};

/// `com.atproto.identity.getRecommendedDidCredentials`
pub async fn get_recommended_did_credentials(State(app): State<App>, access: Access) -> Result<Output<Credentials>> {
    Ok(Output(app.identities.recommended(&access.account).await?))
}
