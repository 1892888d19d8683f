use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::Value;

use crate::{
    api::proxy::{Failure, Outgoing, Refusal, call, stream, target},
    app::App,
    auth::Access,
    rate_limit::Client,
    upstream,
    xrpc::{Procedure, XrpcError},
};

const METHOD: &str = "com.atproto.moderation.createReport";

/// `com.atproto.moderation.createReport`
///
/// Reports are kept by the service for reports, not here.
pub async fn create_report(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let target = target(&app, &parts, METHOD).await?;
    let Procedure(input) = Procedure::<Value>::from_request(Request::from_parts(parts, body), &app).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let path = format!("/xrpc/{METHOD}").parse().map_err(|_| XrpcError::invalid("invalid xrpc path"))?;
    let body = upstream::Outgoing::bytes(input.to_string().into());
    let (account, client, method) = (Some(&*access.account), &client, Method::POST);
    let request =
        Outgoing { target: &target, account, client, nsid: METHOD, audience: None, method, path, headers, body };
    let answer = call(&app, request).await?;
    if answer.status >= StatusCode::BAD_REQUEST {
        return Err(Refusal::read(answer).await.into());
    }
    Ok(stream(answer))
}
