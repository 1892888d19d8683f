//! `com.atproto.identity.resolveDid`

use serde_json::json;

use crate::{harness::Mover, on_both};

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
