use axum::extract::State;

use super::session::{self, Holder};
use crate::{app::App, auth::Access, xrpc::Output};

/// `com.atproto.server.getSession`
pub async fn get_session(State(app): State<App>, access: Access) -> Output<Holder> {
    Output(session::holder(&app, &access.account).await)
}
