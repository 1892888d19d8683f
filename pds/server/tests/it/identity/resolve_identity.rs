//! `com.atproto.identity.resolveIdentity`, and the document of a hosted did:web.

use pds_server::{account::sign_up::SignUp, mail::Languages};
use serde_json::json;

use crate::{
    harness::{Database, Mover, NameServer, TestPds, send},
    on_both,
};

const DID: &str = "com.atproto.identity.resolveDid";
const IDENTITY: &str = "com.atproto.identity.resolveIdentity";
const REFRESH: &str = "com.atproto.identity.refreshIdentity";
const NOBODY: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

on_both!(an_identity_is_resolved_in_both_directions, |pds| async move {
    // AL-IDN-1
    let (alice, mover) = (pds.person("alice").await, Mover::new(&*pds.directory).await);
    let document = pds.query(DID, &[("did", &alice.did)]).await.ok()["didDoc"].clone();
    assert_eq!(document["id"], json!(alice.did));
    let wanted = json!({"did": alice.did, "handle": "alice.pds.test", "didDoc": document});
    for identifier in [alice.did.as_str(), "alice.pds.test"] {
        assert_eq!(pds.query(IDENTITY, &[("identifier", identifier)]).await.ok(), wanted);
        assert_eq!(send(pds.post(REFRESH).json(&json!({"identifier": identifier}))).await.ok(), wanted);
    }
    // Its handle does not name it.
    let other = pds.query(IDENTITY, &[("identifier", mover.did.as_str())]).await.ok();
    assert_eq!((&other["handle"], &other["did"]), (&json!("handle.invalid"), &json!(mover.did)));

    assert_eq!(pds.query(IDENTITY, &[("identifier", NOBODY)]).await.error(), (400, "DidNotFound"));
    assert_eq!(pds.query(IDENTITY, &[("identifier", "bob.pds.test")]).await.error(), (400, "HandleNotFound"));
    assert_eq!(pds.query(IDENTITY, &[("identifier", "a b")]).await.error(), (400, "InvalidRequest"));
});

/// A handle below a foreign domain, with a name server that says whose it is.
async fn follows_its_domain(database: Database) {
    const HANDLE: &str = "alice.elsewhere.org";
    let names = NameServer::start().await;
    let pds = TestPds::with(database, &[("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string())]).await;
    let mover = Mover::new(&*pds.directory).await;
    names.set(NOBODY);
    let refused = mover.move_in_as(&pds, HANDLE).await;
    assert_eq!(refused.error(), (400, "InvalidHandle"), "{}", refused.body);
    names.set(mover.did.as_str());
    let alice = pds.person_of(mover.move_in_as(&pds, HANDLE).await.ok());
    let shown = async || {
        let refreshed = send(pds.post(REFRESH).json(&json!({"identifier": alice.did}))).await.ok();
        let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
        assert_eq!(session["handle"], refreshed["handle"]);
        session["handle"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown().await, HANDLE);
    names.set(NOBODY);
    assert_eq!(shown().await, "handle.invalid");
    let found = pds.query("com.atproto.identity.resolveHandle", &[("handle", HANDLE)]).await.ok();
    assert_eq!(found["did"], NOBODY);
    names.set(mover.did.as_str());
    assert_eq!(shown().await, HANDLE);
}

#[tokio::test]
async fn a_handle_that_points_elsewhere_is_not_shown_on_sqlite() {
    // AL-IDN-2
    follows_its_domain(Database::sqlite()).await;
}

#[tokio::test]
async fn a_handle_that_points_elsewhere_is_not_shown_on_postgres() {
    follows_its_domain(Database::postgres().await).await;
}

on_both!(the_document_of_a_hosted_did_web_is_served_by_host, |pds| async move {
    // AL-IDN-5, AL-IDN-6
    let sign_up = SignUp {
        handle: "carol.pds.test".parse().unwrap(),
        email: Some("carol@example.com".to_owned()),
        password_hash: None,
        invite_code: None,
        recovery_key: None,
        own_did: Some("did:web:carol.example".parse().unwrap()),
        languages: Languages::default(),
    };
    let account = pds.app.sign_ups.create(sign_up).await.unwrap();
    let ask = async |host: &str| {
        let request = pds.http.get(format!("{}/.well-known/did.json", pds.url)).header("host", host);
        send(request).await
    };
    let document = ask("carol.example").await.ok();
    let key = pds.app.identities.signing_key(&account).await.unwrap();
    assert_eq!(document["id"], "did:web:carol.example");
    assert_eq!(document["alsoKnownAs"], json!(["at://carol.pds.test"]));
    let method = &document["verificationMethod"][0];
    assert_eq!((&method["id"], &method["type"]), (&json!("did:web:carol.example#atproto"), &json!("Multikey")));
    assert_eq!(format!("did:key:{}", method["publicKeyMultibase"].as_str().unwrap()), key);
    assert_eq!(document["service"][0]["serviceEndpoint"], "https://pds.test");
    assert_eq!(ask("pds.test").await.ok()["id"], "did:web:pds.test");
    assert_eq!(ask("dave.example").await.status, 404);
    assert_eq!(ask("not a host").await.status, 404);
});
