//! `com.atproto.server.createAccount` for somebody who brings a DID.

use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_identity::plc::{self, Directory};
use pds_syntax::Did;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, TestPds, send},
    on_both,
};

const METHOD: &str = "com.atproto.server.createAccount";
const MINUTE: i64 = 60;

/// An identity that lives elsewhere, and its key.
async fn elsewhere(pds: &TestPds) -> (Did, SigningKey) {
    let (key, rotation) = (SigningKey::generate(), SigningKey::generate());
    let handle = "alice.elsewhere.org".parse().unwrap();
    let (did, genesis) = plc::genesis(&key.did_key(), &rotation, None, &handle, "https://elsewhere.org");
    pds.directory.submit(&did, &genesis).await.unwrap();
    (did, key)
}

pub(super) fn claims(did: &Did) -> Claims {
    let now = jiff::Timestamp::now().as_second();
    Claims {
        iss: did.to_string(),
        aud: "did:web:pds.test".to_owned(),
        exp: now + MINUTE,
        iat: Some(now),
        lxm: Some(METHOD.to_owned()),
        jti: None,
    }
}

pub(super) async fn move_in(pds: &TestPds, did: &Did, code: &str, token: &str) -> Answer {
    let input = json!({
        "did": did, "handle": "alice.pds.test", "email": "alice@example.com", "password": "correct horse", "inviteCode": code,
    });
    send(pds.post(METHOD).bearer_auth(token).json(&input)).await
}

on_both!(an_identity_from_elsewhere_starts_deactivated_and_unannounced, |pds| async move {
    let ((did, key), code) = (elsewhere(&pds).await, pds.invite(5).await);
    let operations = pds.directory.log(&did).len();
    let before = pds_store::event::head(&pds.app.db).await.unwrap();

    let session = move_in(&pds, &did, &code, &issue(&key, &claims(&did)).unwrap()).await.ok();
    assert_eq!((&session["did"], &session["active"]), (&json!(did), &json!(false)));
    assert_eq!(session["status"], "deactivated");
    assert_eq!(pds.directory.log(&did).len(), operations, "the directory is the owner's business");
    assert_eq!(pds_store::event::head(&pds.app.db).await.unwrap(), before);

    let alice = pds.person_of(session);
    let refused = alice.create("com.example.thing", json!({"a": 1})).await;
    assert_eq!(refused.error(), (401, "AccountDeactivated"));
    let status = pds.query("com.atproto.sync.getRepoStatus", &[("did", did.as_str())]).await.ok();
    assert_eq!((&status["active"], &status["status"]), (&json!(false), &json!("deactivated")));
    let export = pds.query("com.atproto.sync.getRepo", &[("did", did.as_str())]).await;
    assert_eq!(export.error(), (400, "RepoDeactivated"));
    let described = pds.query("com.atproto.repo.describeRepo", &[("repo", did.as_str())]).await;
    assert_eq!(described.error(), (400, "RepoDeactivated"));

    // Who tries again learns that it worked, not that somebody has the handle.
    let again = move_in(&pds, &did, &code, &issue(&key, &claims(&did)).unwrap()).await;
    assert_eq!(again.error(), (400, "AlreadyExists"));
});

on_both!(only_the_key_of_the_identity_opens_the_door, |pds| async move {
    let ((did, key), (other, other_key)) = (elsewhere(&pds).await, elsewhere(&pds).await);
    let code = pds.invite(5).await;
    let change = |change: fn(&mut Claims)| {
        let mut claims = claims(&did);
        change(&mut claims);
        issue(&key, &claims).unwrap()
    };
    for (token, error) in [
        (change(|claims| claims.aud = "did:web:elsewhere.org".to_owned()), "BadJwtAudience"),
        (change(|claims| claims.lxm = Some("com.atproto.repo.uploadBlob".to_owned())), "BadJwtLexiconMethod"),
        (change(|claims| claims.lxm = None), "BadJwtLexiconMethod"),
        (change(|claims| claims.exp -= 2 * MINUTE), "JwtExpired"),
        (issue(&SigningKey::generate(), &claims(&did)).unwrap(), "BadJwtSignature"),
        (issue(&key, &claims(&other)).unwrap(), "BadJwtSignature"),
        (issue(&other_key, &claims(&other)).unwrap(), "AuthenticationRequired"),
        (change(|claims| claims.iss.push_str("#atproto_labeler")), "AuthenticationRequired"),
        (change(|claims| claims.iss = "alice.elsewhere.org".to_owned()), "BadJwtIss"),
        (change(|claims| claims.iss = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".to_owned()), "AuthenticationRequired"),
        ("nonsense".to_owned(), "BadJwt"),
        ("a".repeat(5000), "BadJwt"),
    ] {
        let answer = move_in(&pds, &did, &code, &token).await;
        assert_eq!(answer.error(), (401, error), "{}", answer.body);
    }
    assert_eq!(pds_store::account::count(&pds.app.db).await.unwrap(), 0);
    let _: Value = move_in(&pds, &did, &code, &issue(&key, &claims(&did)).unwrap()).await.ok();
});
