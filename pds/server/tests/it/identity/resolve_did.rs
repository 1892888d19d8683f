//! `com.atproto.identity.resolveDid`

use serde_json::json;

use crate::{
    harness::{Database, Mover, TestPds},
    on_both,
};

const METHOD: &str = "com.atproto.identity.resolveDid";

on_both!(documents_of_this_host_and_of_others_are_found, |pds| async move {
    let (alice, mover) = (pds.person("alice").await, Mover::new(&*pds.directory).await);
    let document = pds.query(METHOD, &[("did", &alice.did)]).await.ok()["didDoc"].clone();
    assert_eq!((&document["id"], &document["alsoKnownAs"]), (&json!(alice.did), &json!(["at://alice.pds.test"])));
    let document = pds.query(METHOD, &[("did", mover.did.as_str())]).await.ok()["didDoc"].clone();
    assert_eq!(document["alsoKnownAs"], json!(["at://alice.elsewhere.org"]));

    let nobody = [("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")];
    assert_eq!(pds.query(METHOD, &nobody).await.error(), (400, "DidNotFound"));
    assert_eq!(pds.query(METHOD, &[("did", "alice")]).await.error(), (400, "InvalidRequest"));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (400, "InvalidRequest"));
});

#[tokio::test]
async fn a_document_is_fresh_for_as_long_as_the_host_says() {
    const DID: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
    // Stale at once, so that every question asks the directory again.
    for (ttl, is_noticed) in [("0", true), ("3600", false)] {
        let pds = TestPds::with(Database::sqlite(), &[("CACHE_DID_DOC_TTL", ttl)]).await;
        let endpoint = async || {
            let answer = pds.query(METHOD, &[("did", DID)]).await.ok();
            answer["didDoc"]["service"][0]["serviceEndpoint"].as_str().unwrap().to_owned()
        };
        let publish = |url| pds.directory.add_service(DID, "atproto_pds", "AtprotoPersonalDataServer", url);
        publish("https://old.example.com");
        assert_eq!(endpoint().await, "https://old.example.com");
        publish("https://new.example.com");
        let mut noticed = false;
        for _ in 0..200 {
            noticed |= endpoint().await == "https://new.example.com";
            if noticed {
                break;
            }
        }
        assert_eq!(noticed, is_noticed, "{ttl}");
    }
}
