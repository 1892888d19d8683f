//! Methods that this server does not answer itself.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    answer::stream,
    call::{Outgoing, call, from_client, path},
    policy::{Policies, Policy},
    refusal::Refusal,
    target::{Target, Wanted},
};
use crate::{
    app::App,
    auth::Access,
    rate_limit::Client,
    upstream,
    xrpc::{Result, XrpcError},
};

/// What the head of a request says.
#[derive(Clone, Debug)]
pub struct Head {
    nsid: String,
    policy: Policy,
    wanted: Wanted,
}

/// Refuses what can be refused without knowing the caller.
pub async fn screen(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match head(&app, &request) {
        Ok(head) => {
            request.extensions_mut().insert(head);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn head(app: &App, request: &Request) -> Result<Head> {
    let nsid = request.uri().path().strip_prefix("/xrpc/").filter(|nsid| is_nsid(nsid));
    let nsid = nsid.ok_or_else(|| XrpcError::invalid("invalid xrpc path"))?;
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
        return Err(XrpcError::invalid("XRPC requests only supports GET and POST"));
    }
    let policy = Policies::of(request.extensions(), nsid);
    if policy.is_protected {
        return Err(bad_method());
    }
    Ok(Head { nsid: nsid.to_owned(), policy, wanted: Wanted::of(app, request.headers(), nsid, policy)? })
}

/// Passes a request on, and its answer back.
pub async fn forward(
    State(app): State<App>,
    access: Access,
    client: Client,
    Extension(head): Extension<Head>,
    request: Request,
) -> Result<Response> {
    let Head { nsid, policy, wanted } = head;
    if policy.is_privileged && !access.scope.is_privileged() {
        return Err(bad_method());
    }
    let most = app.settings.blob.upload_limit;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > most) {
        return Err(upstream::Error::InputTooLong(most).into());
    }
    let target = wanted.find(&app, &client.subject).await?;
    pass_on(&app, &access, &client, &target, &nsid, request).await
}

/// Passes a request on as it is.
pub async fn pass_on(
    app: &App,
    access: &Access,
    client: &Client,
    target: &Target,
    nsid: &str,
    request: Request,
) -> Result<Response> {
    let identity = HeaderValue::from_static("identity");
    let accepted = request.headers().get(header::ACCEPT_ENCODING).cloned().unwrap_or(identity);
    let (parts, headers, body) = from_client(request, accepted);
    let (path, method) = (path(&parts), parts.method);
    let body = match method {
        Method::POST => upstream::Outgoing::stream(body, app.settings.blob.upload_limit),
        _ => upstream::Outgoing::none(),
    };
    let account = Some(&*access.account);
    let request = Outgoing { target, account, client, nsid, audience: None, method, path, headers, body };
    let answer = call(app, request).await?;
    if answer.status >= StatusCode::BAD_REQUEST {
        return Ok(Refusal::read(answer).await.into_response());
    }
    Ok(stream(answer))
}

fn bad_method() -> XrpcError {
    XrpcError::named("InvalidToken", "Bad token method")
}

/// Whether a path may be the name of a method: letters and digits, with single dots and hyphens between them.
fn is_nsid(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 317 && name.split(['.', '-']).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_methods_have_no_other_characters() {
        for name in ["com.example.one", "com.my-site.one2", "a"] {
            assert!(is_nsid(name), "{name}");
        }
        for name in ["", "com..one", ".com", "com.one.", "com/one", "com.one_two", "com.%6fne", &"a".repeat(318)] {
            assert!(!is_nsid(name), "{name}");
        }
    }
}
