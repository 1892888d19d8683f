use axum::{
    extract::{Request, State},
    response::Response,
};
use url::form_urlencoded;

use crate::{
    api::proxy::{Failure, read, rebuild},
    app::App,
    auth::Access,
    rate_limit::Client,
    read_after_write::Merge,
};

/// `app.bsky.feed.getPostThread`
///
/// The app view does not know a post yet that the caller has just written: its thread is then made here.
pub async fn get_post_thread(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response, Failure> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parameter = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let read = read(&app, &access, &client, "app.bsky.feed.getPostThread", Merge::PostThread, request).await;
    let refusal = match read {
        Err(Failure::Refused(refusal)) if refusal.error == "NotFound" => refusal,
        read => return read,
    };
    let uri = parameter("uri").unwrap_or_default();
    let height = parameter("parentHeight");
    match rebuild(&app, &access, &client, &uri, height.as_deref(), &refusal.headers).await {
        Ok(Some(thread)) => Ok(thread),
        Ok(None) => Err(refusal.into()),
        Err(_) => Err(refusal.into()),
    }
}
