//! `dev.auroralocus.account.createAppPassword`, and what sessions of limited app passwords may do (AL-APP-2).

use pds_lexicon::{Catalog, Kind};
use pds_server::api::{permission::Permission, table::METHODS};
use serde_json::{Value, json};

use crate::{
    harness::{APP_VIEW, Answer, Person, TestPds, Upstream},
    on_both,
};

const METHOD: &str = "dev.auroralocus.account.createAppPassword";
const POST: &str = "app.bsky.feed.post";

/// A session of a new app password with these scopes.
async fn limited(pds: &TestPds, alice: &Person, name: &str, scopes: &[&str]) -> Person {
    let made = alice.call(METHOD, json!({"name": name, "scopes": scopes})).await.ok();
    assert_eq!((&made["name"], &made["scopes"]), (&json!(name), &json!(scopes)));
    pds.person_of(pds.log_in(&alice.did, made["password"].as_str().unwrap()).await.ok())
}

/// The scope that an answer asks for.
fn missing(answer: &Answer) -> &str {
    assert_eq!(answer.error(), (403, "ScopeMissingError"), "{}", answer.body);
    answer.body["message"].as_str().unwrap().split('"').nth(1).unwrap()
}

fn post() -> Value {
    json!({"$type": POST, "text": "hi", "createdAt": "2026-01-01T00:00:00.000Z"})
}

fn like(alice: &Person) -> Value {
    let cid = pds_repo::Cid::dag_cbor(b"a post").to_string();
    let subject = json!({"uri": format!("at://{}/{POST}/a", alice.did), "cid": cid});
    json!({"$type": "app.bsky.feed.like", "subject": subject, "createdAt": "2026-01-01T00:00:00.000Z"})
}

on_both!(one_that_is_limited_to_a_collection_is_refused_elsewhere_by_name, |pds| async move {
    // AL-APP-2
    let alice = pds.person("alice").await;
    let client = limited(&pds, &alice, "posts", &["repo:app.bsky.feed.post?action=create&action=update"]).await;
    let write = |method: &str, collection: &str, rkey: &str, record: Value| {
        let input = json!({"repo": alice.did, "collection": collection, "rkey": rkey, "record": record});
        let (client, method) = (client.clone(), format!("com.atproto.repo.{method}"));
        async move { client.call(&method, input).await }
    };
    let rkey = client.post("hello").await;
    write("putRecord", POST, &rkey, post()).await.ok();
    let refused = write("createRecord", "app.bsky.feed.like", "3jui7kd54zh2y", like(&alice)).await;
    assert_eq!(missing(&refused), "repo:app.bsky.feed.like?action=create");
    assert_eq!(
        missing(&write("putRecord", "app.bsky.feed.like", &rkey, like(&alice)).await),
        "repo:app.bsky.feed.like?action=create"
    );
    let delete = json!({"repo": alice.did, "collection": POST, "rkey": rkey});
    assert_eq!(
        missing(&client.call("com.atproto.repo.deleteRecord", delete).await),
        "repo:app.bsky.feed.post?action=delete"
    );
    let writes = json!([
        {"$type": "com.atproto.repo.applyWrites#update", "collection": POST, "rkey": rkey, "value": post()},
        {"$type": "com.atproto.repo.applyWrites#delete", "collection": POST, "rkey": rkey},
    ]);
    let apply = json!({"repo": alice.did, "writes": writes});
    assert_eq!(
        missing(&client.call("com.atproto.repo.applyWrites", apply.clone()).await),
        "repo:app.bsky.feed.post?action=delete"
    );

    // A refresh and another replica change nothing.
    let next = client.with_refresh("com.atproto.server.refreshSession", &client.refresh).await.ok();
    let there = pds.person_of(next).at(&pds.replica().await.url);
    assert_eq!(
        missing(&there.create("app.bsky.feed.like", like(&alice)).await),
        "repo:app.bsky.feed.like?action=create"
    );
    there.post("there").await;
    // Another app password of the same account is not limited.
    let password = alice.app_password("plain", false).await;
    let plain = pds.person_of(pds.log_in(&alice.did, &password).await.ok());
    plain
        .call(
            "com.atproto.repo.applyWrites",
            json!({"repo": alice.did, "writes": [
                {"$type": "com.atproto.repo.applyWrites#delete", "collection": POST, "rkey": rkey},
            ]}),
        )
        .await
        .ok();
    plain.create("app.bsky.feed.like", like(&alice)).await.ok();

    // The owner sees what it may, and revokes it as any other.
    let sessions = alice.query("dev.auroralocus.server.listSessions", &[]).await.ok();
    let app =
        sessions["sessions"].as_array().unwrap().iter().find(|one| one["appPassword"]["name"] == "posts").unwrap();
    assert_eq!(app["appPassword"]["scopes"], json!(["repo:app.bsky.feed.post?action=create&action=update"]));
    assert_eq!(alice.call("com.atproto.server.revokeAppPassword", json!({"name": "posts"})).await.status, 200);
    let gone = client.create(POST, post()).await;
    assert_eq!(gone.error(), (400, "ExpiredToken"));
});

on_both!(uploads_are_limited_by_media_type, |pds| async move {
    let alice = pds.person("alice").await;
    let client = limited(&pds, &alice, "pictures", &["blob:image/*", "repo:com.example.picture"]).await;
    let picture =
        client.upload(b"\x89PNG\r\n\x1a\n rest of a picture".to_vec(), "image/png").await.ok()["blob"].clone();
    client.create("com.example.picture", json!({"picture": picture})).await.ok();
    assert_eq!(missing(&client.upload(b"text".to_vec(), "text/plain").await), "blob:text/plain");
    let none = limited(&pds, &alice, "none", &["repo:com.example.picture"]).await;
    assert_eq!(missing(&none.upload(b"text".to_vec(), "image/png").await), "blob:image/png");
});

on_both!(tokens_for_other_services_are_limited_by_method_and_service, |pds| async move {
    let alice = pds.person("alice").await;
    let client =
        limited(&pds, &alice, "calls", &["rpc:com.example.one?aud=did:web:a.test%23api", "rpc:com.example.two?aud=*"])
            .await;
    let token = |aud: &'static str, lxm: Option<&'static str>| {
        let client = client.clone();
        let mut params = vec![("aud", aud)];
        params.extend(lxm.map(|lxm| ("lxm", lxm)));
        async move { client.query("com.atproto.server.getServiceAuth", &params).await }
    };
    token("did:web:a.test#api", Some("com.example.one")).await.ok();
    token("did:web:b.test", Some("com.example.two")).await.ok();
    assert_eq!(
        missing(&token("did:web:b.test", Some("com.example.one")).await),
        "rpc:com.example.one?aud=did:web:b.test"
    );
    assert_eq!(
        missing(&token("did:web:a.test#api", Some("com.example.three")).await),
        "rpc:com.example.three?aud=did:web:a.test#api"
    );
    assert_eq!(missing(&token("did:web:a.test#api", None).await), "rpc:*?aud=did:web:a.test#api");
    // Its own requests to other services need the same.
    assert_eq!(missing(&client.query("app.bsky.feed.getTimeline", &[]).await), "rpc:app.bsky.feed.getTimeline?aud=*");
});

#[tokio::test]
async fn calls_of_the_app_view_need_its_name() {
    let app_view = Upstream::start().await;
    let pds = TestPds::with_app_view(&app_view, &[]).await;
    let alice = pds.person("alice").await;
    let scope = format!("rpc:app.bsky.feed.getPosts?aud={APP_VIEW}%23bsky_appview");
    let client = limited(&pds, &alice, "reader", &[&scope]).await;
    let allowed = client.query("app.bsky.feed.getPosts", &[("uris", "at://did:web:a.test/app.bsky.feed.post/a")]).await;
    assert_ne!(allowed.error().1, "ScopeMissingError", "{}", allowed.body);
    let refused = |fragment: &str| format!("rpc:app.bsky.feed.getLikes?aud={APP_VIEW}#{fragment}");
    assert_eq!(missing(&client.query("app.bsky.feed.getLikes", &[]).await), refused("bsky_appview"));
    // Another service of the same DID is another service.
    let other = format!("rpc:app.bsky.feed.getLikes?aud={APP_VIEW}%23other");
    let client = limited(&pds, &alice, "other", &[&other]).await;
    assert_eq!(missing(&client.query("app.bsky.feed.getLikes", &[]).await), refused("bsky_appview"));
}

on_both!(of_each_method_a_limited_session_may_call_what_its_permission_says, |pds| async move {
    // AL-APP-2: without any scope that fits, nothing of the account can be changed or read.
    let alice = pds.person("alice").await;
    let client = limited(&pds, &alice, "nothing", &["repo:com.example.nothing?action=delete"]).await;
    for method in METHODS.iter().filter(|method| method.requirement.is_of_account()) {
        let is_query = Catalog::bundled().method(method.nsid).unwrap().kind() == Kind::Query;
        let input = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": "a", "record": {}, "writes": [
            {"$type": "com.atproto.repo.applyWrites#delete", "collection": "com.example.thing", "rkey": "a"},
        ]});
        let answer = match (is_query, method.permission) {
            (true, _) => client.query(method.nsid, &[("did", &alice.did), ("aud", "did:web:a.test")]).await,
            (false, Permission::Upload) => client.upload(b"x".to_vec(), "text/plain").await,
            (false, _) => client.call(method.nsid, input).await,
        };
        let (status, name) = answer.error();
        let is_refused = matches!((status, name), (403, "ScopeMissingError") | (400, "InvalidToken"));
        let expected = !matches!(method.permission, Permission::AnySession);
        assert_eq!(is_refused, expected, "{}: {status} {}", method.nsid, answer.body);
    }
});

on_both!(what_is_no_limit_is_refused_with_its_reason, |pds| async move {
    let alice = pds.person("alice").await;
    for (scopes, said) in [
        (json!(["account:email"]), "\"account:email\" is not one of an app password"),
        (json!(["repo:posts"]), "\"repo:posts\" must name collections"),
        (json!(["repo:app.bsky.feed.post?action=read"]), "has an action that is not"),
        (json!(["rpc:*?aud=*"]), "must name methods or a service"),
        (json!([]), "Input/scopes"),
        (json!(vec!["repo:a.b.c"; 51]), "Input/scopes"),
    ] {
        let refused = alice.call(METHOD, json!({"name": "client", "scopes": scopes})).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{}", refused.body);
        assert!(refused.body["message"].as_str().unwrap().contains(said), "{}", refused.body);
    }
    let name = json!({"name": "", "scopes": ["repo:*"]});
    assert!(alice.call(METHOD, name).await.body["message"].as_str().unwrap().contains("Input/name"));
    // Nobody makes an app password with an app password.
    let client = limited(&pds, &alice, "posts", &["repo:*"]).await;
    let again = client.call(METHOD, json!({"name": "more", "scopes": ["repo:*"]})).await;
    assert_eq!(again.error(), (400, "InvalidToken"));
});

on_both!(what_is_deleted_or_shown_by_bytes_needs_a_scope_too, |pds| async move {
    // AL-APP-2
    let alice = pds.person("alice").await;
    let client = limited(&pds, &alice, "likes", &["repo:app.bsky.feed.like?action=create", "blob:image/*"]).await;
    for _ in 0..2 {
        client.create("app.bsky.feed.like", like(&alice)).await.ok();
    }
    let list = [("repo", &*alice.did), ("collection", "app.bsky.feed.like")];
    let likes =
        async || alice.query("com.atproto.repo.listRecords", &list).await.ok()["records"].as_array().unwrap().len();
    assert_eq!(likes().await, 2, "the older one was not this app password's to delete");
    alice.create("app.bsky.feed.like", like(&alice)).await.ok();
    assert_eq!(likes().await, 1);
    let pdf = client.upload(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), "image/png").await;
    assert_eq!(missing(&pdf), "blob:application/pdf");
});
