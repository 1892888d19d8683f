//! The bundled schemas, and the results for each value of `validate`.

use pds_lexicon::{Catalog, KeyType, ValidationStatus};
use pds_syntax::Nsid;
use serde_json::{Value, json};

fn post() -> Value {
    json!({ "$type": "app.bsky.feed.post", "text": "hi", "createdAt": "2026-01-01T00:00:00Z" })
}

fn nsid(text: &str) -> Nsid {
    text.parse().unwrap()
}

#[test]
fn records_of_every_known_collection_have_a_key_type() {
    let catalog = Catalog::bundled();
    assert!(catalog.collections().count() >= 20);
    assert_eq!(catalog.record_key_type(&nsid("app.bsky.feed.post")), Some(&KeyType::Tid));
    let profile = KeyType::Literal("self".into());
    assert_eq!(catalog.record_key_type(&nsid("app.bsky.actor.profile")), Some(&profile));
    assert_eq!(catalog.record_key_type(&nsid("com.atproto.lexicon.schema")), Some(&KeyType::Nsid));
    assert_eq!(catalog.record_key_type(&nsid("app.bsky.feed.generator")), Some(&KeyType::Any));
    assert_eq!(catalog.record_key_type(&nsid("com.example.unknown")), None);
}

#[test]
fn validate_decides_what_an_unknown_collection_means() {
    let (catalog, post) = (Catalog::bundled(), post());
    let (known, unknown) = (nsid("app.bsky.feed.post"), nsid("com.example.thing"));
    assert_eq!(catalog.status(&known, &post, None), Ok(Some(ValidationStatus::Valid)));
    assert_eq!(catalog.status(&known, &post, Some(true)), Ok(Some(ValidationStatus::Valid)));
    assert_eq!(catalog.status(&known, &json!({}), Some(false)), Ok(None));
    assert_eq!(catalog.status(&unknown, &json!({}), None), Ok(Some(ValidationStatus::Unknown)));
    assert!(catalog.status(&unknown, &json!({}), Some(true)).is_err());
    assert!(catalog.status(&known, &json!({}), None).is_err());
}

#[test]
fn the_type_has_to_be_the_collection() {
    let error = Catalog::bundled().validate_record(&nsid("app.bsky.feed.like"), &post()).unwrap_err();
    assert_eq!(error.to_string(), r#"record/$type must be "app.bsky.feed.like", found "app.bsky.feed.post""#);
}

#[test]
fn an_error_tells_where_what_and_why() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut post = post();
        change(&mut post);
        Catalog::bundled().validate_record(&nsid("app.bsky.feed.post"), &post).unwrap_err().to_string()
    };
    assert_eq!(refused(&|post| post["text"] = json!(7)), "record/text must be a string, found 7");
    assert_eq!(
        refused(&|post| post["langs"] = json!(["en", "not a language"])),
        r#"record/langs/1 must be a well-formed BCP 47 language tag, found "not a language""#
    );
    assert_eq!(
        refused(&|post| post["text"] = json!("a".repeat(301))),
        "record/text must not have more than 300 graphemes, found 301"
    );
    assert_eq!(
        refused(&|post| post["reply"] = json!({ "root": {} })),
        "record/reply must have the property \"parent\""
    );
    let images = |image: Value| json!({ "$type": "app.bsky.embed.images", "images": [{ "alt": "", "image": image }] });
    let link = json!({ "$link": "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq" });
    assert_eq!(
        refused(&|post| {
            let image = json!({ "$type": "blob", "ref": link, "mimeType": "text/plain", "size": 1 });
            post["embed"] = images(image);
        }),
        "record/embed/images/0/image/mimeType must be image/*, found text/plain"
    );
    assert_eq!(
        refused(&|post| {
            let image = json!({ "$type": "blob", "ref": link, "mimeType": "image/png", "size": 99_000_000 });
            post["embed"] = images(image);
        }),
        "record/embed/images/0/image/size must be at most 2000000 bytes, found 99000000"
    );
}
