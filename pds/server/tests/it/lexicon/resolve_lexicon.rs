//! `com.atproto.lexicon.resolveLexicon`

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::harness::{Database, NameServer, TestPds, send};

const METHOD: &str = "com.atproto.lexicon.resolveLexicon";

async fn story(database: Database) {
    let names = NameServer::start().await;
    let pds = TestPds::with(database, &[("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string())]).await;
    let alice = pds.person("alice").await;
    names.set(&alice.did);
    let publish = async |rkey: &str, record: serde_json::Value| {
        let collection = "com.atproto.lexicon.schema";
        let input = json!({"repo": alice.did, "collection": collection, "rkey": rkey, "record": record});
        alice.call("com.atproto.repo.putRecord", input).await.ok()
    };
    let schema = |id: &str| json!({"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": id, "defs": {}});
    let made = publish("org.example.feed.thing", schema("org.example.feed.thing")).await;
    publish("org.example.feed.other", schema("org.example.feed.thing")).await;

    let resolve = async |nsid: &str| pds.query(METHOD, &[("nsid", nsid)]).await;
    let found = resolve("org.example.feed.thing").await.ok();
    assert_eq!((&found["uri"], &found["cid"]), (&made["uri"], &made["cid"]));
    assert_eq!(found["schema"], schema("org.example.feed.thing"));
    // Kept for a while, also without its domain.
    names.set("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    resolve("org.example.feed.thing").await.ok();
    names.set(&alice.did);
    for (nsid, message) in
        [("org.example.feed.other", "no lexicon of this name"), ("org.example.feed.none", "does not resolve")]
    {
        let missing = resolve(nsid).await;
        assert_eq!(missing.error(), (400, "LexiconNotFound"), "{nsid}");
        assert!(missing.body["message"].as_str().unwrap().contains(message), "{}", missing.body);
    }
    // Too long, and too many values for its length.
    for (nsid, more, message) in [
        ("org.example.feed.long", json!("x".repeat(200_000)), "at most 131072 are allowed"),
        ("org.example.feed.heavy", json!(vec![json!({"": 0}); 9_000]), "9002 objects"),
    ] {
        let mut large = schema(nsid);
        large["more"] = more;
        publish(nsid, large).await;
        let refused = resolve(nsid).await;
        assert_eq!(refused.error(), (400, "LexiconNotFound"), "{nsid}");
        assert!(refused.body["message"].as_str().unwrap().contains(message), "{}", refused.body);
    }
    // Of somebody whom the directory does not know, and while it is away.
    names.set("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(resolve("org.example.feed.unknown").await.error(), (400, "LexiconNotFound"));
    names.set("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb");
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(resolve("org.example.feed.away").await.error(), (503, "ServiceUnavailable"));
    assert_eq!(resolve("no nsid").await.error(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn a_lexicon_is_found_by_its_domain_on_sqlite() {
    story(Database::sqlite()).await;
}

#[tokio::test]
async fn a_lexicon_is_found_by_its_domain_on_postgres() {
    story(Database::postgres().await).await;
}

#[tokio::test]
async fn an_address_asks_for_a_limited_number_of_unknown_lexicons() {
    let names = NameServer::start().await;
    names.set("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    let settings = [
        ("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string()),
        ("PDS_RATE_LIMITS_ENABLED", "true".to_owned()),
        ("RATE_LIMIT_UNAUTHENTICATED", "10000".to_owned()),
        ("RATE_LIMIT_UNAUTHENTICATED_BURST", "10000".to_owned()),
    ];
    let pds = TestPds::with(Database::sqlite(), &settings).await;
    pds.clock.freeze();
    let ask = async |n: usize, client: &str| {
        let request = pds.get(METHOD).query(&[("nsid", format!("org.example.feed.n{n}"))]);
        send(request.header("x-forwarded-for", client)).await
    };
    for n in 0..300 {
        assert_eq!(ask(n, "198.51.100.1").await.status, 400, "{n}");
    }
    assert_eq!(ask(300, "198.51.100.1").await.error(), (429, "RateLimitExceeded"));
    assert_eq!(ask(299, "198.51.100.1").await.error(), (400, "LexiconNotFound"), "that is known");
    assert_eq!(ask(300, "198.51.100.2").await.status, 400);
}
