//! Answers of services to which this server adds what the caller has just written.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use pds_lexicon::Catalog;
use pds_store::account::Account;
use pds_syntax::Tid;
use serde_json::Value;

use super::{
    accept::negotiated,
    answer::{Whole, is_readable, stream},
    call::{Outgoing, call, from_client, json, path},
    failure::Failure,
    headers::{self, REPO_REV},
    local::{Recent, Scene, written_since},
    policy::Policies,
    refusal::Refusal,
    target::{Target, Wanted},
};
use crate::{
    app::App,
    auth::Access,
    rate_limit::Client,
    read_after_write::{self, Merge, highest_parent, set_parent},
    task::run_blocking,
    upstream::{self, Answer},
    xrpc::Result,
};

const LAG: HeaderName = HeaderName::from_static("atproto-upstream-lag");
/// A longer answer is passed on as it is.
const MAX_MERGED: usize = 2 << 20;
/// A longer answer is not compressed by this server.
const MAX_COMPRESSED: u64 = 1 << 20;
/// A longer answer is merged on a thread that may block.
const SHORT: usize = 128 * 1024;

/// Passes a query on. `merge` says what to add to the answer.
pub async fn read(
    app: &App,
    access: &Access,
    client: &Client,
    nsid: &str,
    merge: Merge,
    request: Request,
) -> Result<Response, Failure> {
    let policy = Policies::of(request.extensions(), nsid);
    let target = Wanted::of(app, request.headers(), nsid, policy)?.find(app, &client.subject).await?;
    let answer = ask(app, Some(&access.account), client, &target, nsid, None, request).await?;
    let rev = answer.headers.get(REPO_REV).and_then(|rev| rev.to_str().ok()?.parse::<Tid>().ok());
    let is_understood = headers::is_json(&answer.headers) != Some(false) && is_readable(&answer.headers);
    let Some(rev) = rev.filter(|_| is_understood) else {
        return Ok(unchanged(app, client, answer).await?);
    };
    let recent = match written_since(app, &access.account, rev).await {
        Ok(recent) => recent,
        // The answer is complete without it.
        Err(error) => {
            tracing::warn!("recent records of {} cannot be read: {}", access.account.did, error.message);
            Recent::default()
        }
    };
    if recent.is_empty() {
        return Ok(unchanged(app, client, answer).await?);
    }
    let lag = recent.lag_ms(app.clock.now_us());
    let whole = Whole::read(app, client, answer).await?;
    let mut response = match merged(app, &access.account, client, nsid, merge, recent, &whole).await {
        Some(json) => whole.with_body(json),
        None => whole.unchanged(),
    };
    if let Some(lag) = lag {
        response.headers_mut().insert(LAG, lag.into());
    }
    Ok(response)
}

/// Calls the service with the client's query; fails with the service's refusal. `audience` and method of the token if they are not the service's.
pub async fn ask(
    app: &App,
    account: Option<&Account>,
    client: &Client,
    target: &Target,
    nsid: &str,
    audience: Option<&str>,
    request: Request,
) -> Result<Answer, Failure> {
    let accepted = request.headers().get(header::ACCEPT_ENCODING);
    let accepted = negotiated(accepted, app.upstreams.settings().prefer_compressed)?;
    let (parts, headers, _) = from_client(request, accepted);
    let (path, method, body) = (path(&parts), parts.method, upstream::Outgoing::none());
    let request = Outgoing { target, account, client, nsid, audience, method, path, headers, body };
    let answer = call(app, request).await?;
    if answer.status >= StatusCode::BAD_REQUEST {
        return Err(Refusal::read(answer).await.into());
    }
    Ok(answer)
}

/// Passes a query about public data on, for a client without an account.
pub async fn public(
    app: &App,
    client: &Client,
    target: &Target,
    nsid: &str,
    request: Request,
) -> Result<Response, Failure> {
    let answer = ask(app, None, client, target, nsid, None, request).await?;
    Ok(unchanged(app, client, answer).await?)
}

/// An answer as it came. A short one that the service was asked not to compress may be compressed here.
pub async fn unchanged(app: &App, client: &Client, answer: Answer) -> Result<Response> {
    let is_bare = !answer.headers.contains_key(header::CONTENT_ENCODING);
    if !is_bare || answer.body.length().is_none_or(|length| length == 0 || length > MAX_COMPRESSED) {
        return Ok(stream(answer));
    }
    let mut response = Whole::read(app, client, answer).await?.unchanged();
    response.extensions_mut().remove::<crate::http::Plain>();
    Ok(response)
}

/// The answer with local records; `None` if it has to stay as it is.
async fn merged(
    app: &App,
    account: &Account,
    client: &Client,
    nsid: &str,
    merge: Merge,
    recent: Recent,
    whole: &Whole,
) -> Option<Vec<u8>> {
    if whole.len() > MAX_MERGED || (!recent.has_profile() && !merge.shows_posts()) {
        return None;
    }
    if !whole.unpacks_beside(recent.unpacked_bytes()) {
        return None;
    }
    let text = whole.decoded();
    let local = recent.unpack(account).await.ok()?;
    let posts = if merge.shows_posts() { local.posts.as_slice() } else { &[] };
    let scene = Scene::load(app, account, client, posts).await.ok()?;
    let lexicon = Catalog::bundled().method(nsid)?;
    let length = text.len();
    let work = move || {
        let mut answer: Value = serde_json::from_slice(&text).ok()?;
        // Nothing is added to what is not understood.
        lexicon.check_output(&answer).ok()?;
        merge.apply(&mut answer, &local, &scene.viewer()).ok()?;
        serde_json::to_vec(&answer).ok()
    };
    if length <= SHORT { work() } else { run_blocking(work).await }
}

/// The thread of the caller's own new post, which the service does not know: it has answered `NotFound` with this head.
pub async fn rebuild(
    app: &App,
    access: &Access,
    client: &Client,
    uri: &str,
    parent_height: Option<&str>,
    head: &HeaderMap,
) -> Result<Option<Response>, Failure> {
    let Some(rev) = head.get(REPO_REV).and_then(|rev| rev.to_str().ok()?.parse::<Tid>().ok()) else { return Ok(None) };
    let account: &Arc<Account> = &access.account;
    let Some(uri) = own_uri(account, uri) else { return Ok(None) };
    let recent = written_since(app, account, rev).await?;
    let lag = recent.lag_ms(app.clock.now_us());
    let Some(_memory) = app.inputs.take(client, recent.unpacked_bytes()) else { return Ok(None) };
    let local = recent.unpack(account).await?;
    let scene = Scene::load(app, account, client, &local.posts).await?;
    let Ok(Some(mut answer)) = read_after_write::rebuild(&scene.viewer(), &local, &uri) else { return Ok(None) };
    if let (Some(parent), Some(target)) = (highest_parent(&answer).map(str::to_owned), Target::app_view(app)) {
        let mut params = vec![("uri", parent.as_str()), ("depth", "0")];
        params.extend(parent_height.map(|height| ("parentHeight", height)));
        // Without its parents the thread is still better than none.
        if let Ok(mut parents) = json(app, &target, Some(account), client, "app.bsky.feed.getPostThread", &params).await
        {
            set_parent(&mut answer, &mut parents);
        }
    }
    let mut response = axum::Json(answer).into_response();
    if let Some(lag) = lag {
        response.headers_mut().insert(LAG, lag.into());
    }
    Ok(Some(response))
}

/// The URI with the caller's DID, if it is one of the caller's posts.
fn own_uri(account: &Account, uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("at://")?;
    let (authority, path) = rest.split_once('/')?;
    let is_own = authority == account.did.as_str() || authority.eq_ignore_ascii_case(account.handle.as_str());
    is_own.then(|| format!("at://{}/{path}", account.did))
}
