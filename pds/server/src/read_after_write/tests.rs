//! The answers are those that the reference implementation makes of the same answers and records (`reference.mjs`).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Reference {
    did: String,
    handle: String,
    /// The app view's answers about records that posts quote.
    quoted: HashMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    original: Value,
    profile: Option<Written>,
    posts: Vec<Written>,
    /// The profile record as it is now.
    current: Option<Value>,
    expected: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    uri: String,
    cid: String,
    indexed_at: String,
    value: Value,
}

impl From<Written> for LocalRecord {
    fn from(Written { uri, cid, indexed_at, value }: Written) -> Self {
        Self { uri, cid, indexed_at, value }
    }
}

fn merge(method: &str) -> Merge {
    match method {
        "app.bsky.actor.getProfile" => Merge::Profile,
        "app.bsky.actor.getProfiles" => Merge::Profiles,
        "app.bsky.feed.getTimeline" => Merge::Timeline,
        "app.bsky.feed.getAuthorFeed" => Merge::AuthorFeed,
        "app.bsky.feed.getActorLikes" => Merge::ActorLikes,
        _ => Merge::PostThread,
    }
}

#[test]
fn answers_become_what_the_reference_makes_of_them() {
    let reference: Reference = serde_json::from_str(include_str!("reference.json")).unwrap();
    let images = Images::Pattern("https://cdn.test/%s/plain/%s/%s@jpeg".to_owned());
    let Reference { did, handle, quoted, cases } = reference;
    assert_eq!(cases.len(), 15);
    for Case { name, method, original, profile, posts, current, expected } in cases {
        let local = Local { profile: profile.map(Into::into), posts: posts.into_iter().map(Into::into).collect() };
        let quoted = lookups(&local.posts)
            .into_iter()
            .filter_map(|lookup| lookup.view(&quoted[&lookup.uri]).map(|view| (lookup.uri, view)))
            .collect();
        let viewer = Viewer { did: &did, handle: &handle, profile: current.as_ref(), images: &images, quoted: &quoted };
        let mut answer = original;
        merge(&method).apply(&mut answer, &local, &viewer).unwrap();
        assert_eq!(answer, expected, "{name}");
        let lexicon = pds_lexicon::Catalog::bundled().method(&method).unwrap();
        assert_eq!(lexicon.check_output(&answer).map_err(|error| error.to_string()), Ok(()), "{name}");
    }
}

fn post(rkey: &str, seconds: i64, reply: Option<(&str, &str)>) -> LocalRecord {
    let strong = |uri: &str| json!({"uri": uri, "cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq"});
    let mut value = json!({"$type": "app.bsky.feed.post", "text": rkey, "createdAt": "2026-01-01T00:00:00.000Z"});
    if let Some((root, parent)) = reply {
        value["reply"] = json!({"root": strong(root), "parent": strong(parent)});
    }
    LocalRecord {
        uri: format!("at://did:plc:a/app.bsky.feed.post/{rkey}"),
        cid: "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq".to_owned(),
        indexed_at: format!("2026-01-01T00:00:{seconds:02}.000Z"),
        value,
    }
}

fn with_viewer<T>(work: impl FnOnce(&Viewer<'_>) -> T) -> T {
    let (images, quoted) = (Images::Pds("https://pds.test".to_owned()), HashMap::new());
    work(&Viewer { did: "did:plc:a", handle: "a.test", profile: None, images: &images, quoted: &quoted })
}

#[test]
fn a_thread_that_the_app_view_does_not_know_is_made_of_the_new_posts() {
    let of = |rkey: &str| format!("at://did:plc:a/app.bsky.feed.post/{rkey}");
    let (above, first) = ("at://did:plc:b/app.bsky.feed.post/above", of("first"));
    let local = Local {
        profile: None,
        posts: vec![
            post("first", 1, Some((above, above))),
            post("second", 2, Some((above, &first))),
            post("alone", 3, None),
        ],
    };
    with_viewer(|viewer| {
        let mut answer = rebuild(viewer, &local, &first).unwrap().unwrap();
        assert_eq!(answer["thread"]["post"]["author"], json!({"did": "did:plc:a", "handle": "a.test"}));
        assert_eq!(answer["thread"]["replies"][0]["post"]["uri"], of("second"));
        assert_eq!(highest_parent(&answer), Some(above));
        set_parent(&mut answer, &mut json!({"thread": {"$type": "x"}}));
        assert_eq!(answer["thread"]["parent"], json!({"$type": "x"}));
        assert_eq!(rebuild(viewer, &local, &of("unknown")).unwrap(), None);
    });
}

#[test]
fn what_has_another_shape_is_left_alone() {
    let local = |embed: Value| {
        let mut post = post("odd", 1, None);
        post.value["embed"] = embed;
        Local { profile: None, posts: vec![post] }
    };
    with_viewer(|viewer| {
        for embed in [
            json!({"$type": "app.bsky.embed.images"}),
            json!({"$type": "app.bsky.embed.images", "images": [{"image": {}}]}),
            json!({"$type": "app.bsky.embed.external"}),
            json!({"$type": "app.bsky.embed.record", "record": {}}),
        ] {
            let mut answer = json!({"feed": []});
            assert_eq!(Merge::Timeline.apply(&mut answer, &local(embed.clone()), viewer), Err(Malformed), "{embed}");
        }
        let mut answer = json!({"feed": []});
        Merge::Timeline.apply(&mut answer, &local(json!({"$type": "com.example.embed"})), viewer).unwrap();
        assert!(answer["feed"][0]["post"].get("embed").is_none());
        for answer in [json!(null), json!([]), json!({"feed": {}}), json!({"feed": [1]})] {
            let mut answer = answer;
            assert_eq!(Merge::Timeline.apply(&mut answer, &local(json!(1)), viewer), Err(Malformed));
        }
    });
}

#[test]
fn images_are_at_the_image_server_or_here() {
    let blob = json!({"ref": {"$link": "bafk"}});
    with_viewer(|viewer| {
        let here = "https://pds.test/xrpc/com.atproto.sync.getBlob?did=did:plc:a&cid=bafk";
        assert_eq!(viewer.image("avatar", &blob).unwrap(), here);
        assert_eq!(viewer.image("avatar", &json!({"cid": "bafk", "mimeType": "image/png"})).unwrap(), here);
        let images = Images::Pattern("https://cdn.test/%s/%s/%s@jpeg".to_owned());
        let viewer = Viewer { images: &images, ..*viewer };
        assert_eq!(viewer.image("avatar", &blob).unwrap(), "https://cdn.test/avatar/did:plc:a/bafk@jpeg");
    });
}
