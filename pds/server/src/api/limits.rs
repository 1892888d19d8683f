//! The limits of app passwords: each method is asked for the permission that the table says, as it will be of OAuth sessions.

use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    permission::Permission,
    proxy::{Policies, named_service},
};
use crate::{
    account::scopes::Scopes,
    app::App,
    auth::{Access, missing_scope},
    upstream::Configured,
    xrpc::{Result, XrpcError},
};

/// This method's parameters say which call it is about; its handler asks.
const ASKS_ITSELF: &str = "com.atproto.server.getServiceAuth";

/// Refuses a request of a limited session to a method that its scopes do not name. Writes of records pass, because only the input says which
/// collection they are about: their handlers ask [`Access::may_write`].
pub async fn enforce(State((app, permission)): State<(App, Permission)>, request: Request, next: Next) -> Response {
    let limits = request.extensions().get::<Access>().and_then(|access| access.limits.clone());
    match limits.map_or(Ok(()), |limits| check(&app, permission, &limits, &request)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(app: &App, permission: Permission, limits: &Scopes, request: &Request) -> Result<()> {
    match permission {
        Permission::NotAsked | Permission::AnySession | Permission::Records(_) => Ok(()),
        Permission::Upload => {
            let stated = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let stated = stated.unwrap_or("application/octet-stream");
            if limits.may_upload(stated) { Ok(()) } else { Err(missing_scope(format_args!("blob:{stated}"))) }
        }
        Permission::Calls => calls(app, limits, request),
        Permission::Refused | Permission::Account { .. } | Permission::Handle | Permission::Identity => {
            Err(XrpcError::named("InvalidToken", "Bad token scope"))
        }
    }
}

/// The service is the one that the client names, or the method's own.
fn calls(app: &App, limits: &Scopes, request: &Request) -> Result<()> {
    let nsid = request.uri().path().strip_prefix("/xrpc/").unwrap_or_default();
    if nsid == ASKS_ITSELF {
        return Ok(());
    }
    let own = || app.upstreams.configured(Policies::of(request.extensions(), nsid).service).map(Configured::name);
    let service = named_service(request.headers()).map(str::to_owned).or_else(own);
    // Without a service only scopes for all services suffice.
    let service = service.as_deref().unwrap_or("*");
    if limits.may_call(nsid, service) { Ok(()) } else { Err(missing_scope(format_args!("rpc:{nsid}?aud={service}"))) }
}
