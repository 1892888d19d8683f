use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use pds_syntax::Did;
use serde_json::Value;

use crate::{
    api::proxy::{Failure, Outgoing, Refusal, Target, call, endpoint, require_app_view},
    app::App,
    auth::Access,
    rate_limit::Client,
    upstream,
    xrpc::{Procedure, Result, XrpcError},
};

/// `app.bsky.notification.registerPush`
pub async fn register_push(
    State(app): State<App>,
    access: Access,
    client: Client,
    Procedure(input): Procedure<Value>,
) -> Result<Response, Failure> {
    push(&app, &access, &client, "app.bsky.notification.registerPush", &input).await
}

/// `app.bsky.notification.unregisterPush`
pub async fn unregister_push(
    State(app): State<App>,
    access: Access,
    client: Client,
    Procedure(input): Procedure<Value>,
) -> Result<Response, Failure> {
    push(&app, &access, &client, "app.bsky.notification.unregisterPush", &input).await
}

/// Tells the service that the input names about a device.
async fn push(app: &App, access: &Access, client: &Client, nsid: &str, input: &Value) -> Result<Response, Failure> {
    require_app_view(app, nsid)?;
    let did = input["serviceDid"].as_str().and_then(|did| did.parse::<Did>().ok());
    let did = did.ok_or_else(|| XrpcError::invalid("Input/serviceDid must be a DID"))?;
    let target = service(app, client, did).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path = format!("/xrpc/{nsid}").parse().map_err(|_| XrpcError::invalid("invalid xrpc path"))?;
    let body = upstream::Outgoing::bytes(input.to_string().into());
    let (account, method) = (Some(&*access.account), Method::POST);
    let request = Outgoing { target: &target, account, client, nsid, audience: None, method, path, headers, body };
    let answer = call(app, request).await?;
    if answer.status >= StatusCode::BAD_REQUEST {
        return Err(Refusal::read(answer).await.into());
    }
    Ok(StatusCode::OK.into_response())
}

/// The notification service of a DID.
async fn service(app: &App, client: &Client, did: Did) -> Result<Target> {
    if let Some(app_view) = Target::app_view(app).filter(|app_view| app_view.did == did) {
        return Ok(app_view);
    }
    let url = endpoint(app, &client.subject, &did, "bsky_notif", Some("BskyNotificationService"));
    let url = url.await.map_err(|_| XrpcError::invalid(format!("could not resolve did document: {did}")))?;
    let service = url
        .and_then(|url| app.upstreams.named(&url))
        .ok_or_else(|| XrpcError::invalid(format!("invalid notification service details in did document: {did}")))?;
    Ok(Target { service, did })
}
