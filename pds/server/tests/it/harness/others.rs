//! The services around a server, with one good answer to each method that is handed on to them.

use axum::{Json, http::StatusCode, response::IntoResponse};
use serde_json::json;

use super::Upstream;

/// The app view, moderation and report service of all servers.
pub(crate) async fn others() -> Upstream {
    const DID: &str = "did:plc:44ybard66vv44zksje25o7dz";
    const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
    let others = Upstream::start().await;
    let profile = json!({"did": DID, "handle": "bob.test"});
    let generator = json!({
        "uri": format!("at://{DID}/app.bsky.feed.generator/x"), "cid": CID,
        "did": "did:web:feed.example.com", "creator": profile, "displayName": "A feed", "indexedAt": "2026-01-01T00:00:00.000Z",
    });
    let report = json!({
        "id": 1, "reasonType": "com.atproto.moderation.defs#reasonSpam", "reportedBy": DID, "createdAt": "2026-01-01T00:00:00.000Z",
        "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": DID},
    });
    for (method, status, answer) in [
        ("app.bsky.actor.getProfile", 200, profile.clone()),
        ("app.bsky.actor.getProfiles", 200, json!({"profiles": [profile]})),
        ("app.bsky.feed.getActorLikes", 200, json!({"feed": []})),
        ("app.bsky.feed.getAuthorFeed", 200, json!({"feed": []})),
        ("app.bsky.feed.getFeed", 200, json!({"feed": []})),
        ("app.bsky.feed.getFeedGenerator", 200, json!({"view": generator, "isOnline": true, "isValid": true})),
        ("app.bsky.feed.getTimeline", 200, json!({"feed": []})),
        ("app.bsky.feed.getPostThread", 400, json!({"error": "NotFound", "message": "Post not found"})),
        ("app.bsky.feed.getPosts", 200, json!({"posts": []})),
        ("app.bsky.graph.muteActor", 200, json!({})),
        ("app.bsky.notification.registerPush", 200, json!({})),
        ("app.bsky.notification.unregisterPush", 200, json!({})),
        ("com.atproto.moderation.createReport", 200, report),
        ("com.example.refused", 403, json!({"error": "Refused", "message": "Not you"})),
        ("com.example.broken", 500, json!({"error": "InternalServerError", "message": "Internal Server Error"})),
    ] {
        others.json(method, status, &[], answer);
    }
    // It has seen a feed generator, and no other record.
    others.answer("com.atproto.repo.getRecord", |request| {
        let answer = match request.uri().query().is_some_and(|query| query.contains("app.bsky.feed.generator")) {
            true => Json(json!({
                "uri": format!("at://{DID}/app.bsky.feed.generator/x"), "cid": CID,
                "value": {
                    "$type": "app.bsky.feed.generator", "did": "did:web:feed.example.com", "displayName": "A feed",
                    "createdAt": "2026-01-01T00:00:00.000Z",
                },
            }))
            .into_response(),
            false => {
                let error = json!({"error": "RecordNotFound", "message": "Could not locate record"});
                (StatusCode::BAD_REQUEST, Json(error)).into_response()
            }
        };
        Box::pin(async move { answer })
    });
    others
}
