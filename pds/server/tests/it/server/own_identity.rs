//! `com.atproto.server.createAccount` for somebody who brings a DID.

use std::sync::atomic::Ordering;

use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_identity::plc;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Mover, TestPds, send},
    on_both,
};

const METHOD: &str = "com.atproto.server.createAccount";
const MINUTE: i64 = 60;

async fn move_in(pds: &TestPds, mover: &Mover, code: &str, token: &str) -> Answer {
    let input = json!({
        "did": mover.did, "handle": "alice.pds.test", "email": "alice@example.com", "password": "correct horse", "inviteCode": code,
    });
    send(pds.post(METHOD).bearer_auth(token).json(&input)).await
}

on_both!(an_identity_from_elsewhere_starts_deactivated_and_unannounced, |pds| async move {
    let (mover, code) = (Mover::new(&*pds.directory).await, pds.invite(5).await);
    let did = mover.did.clone();
    let operations = pds.directory.log(&did).len();
    let before = pds_store::event::head(&pds.app.db).await.unwrap();

    let session = move_in(&pds, &mover, &code, &mover.token(METHOD)).await.ok();
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
    let again = move_in(&pds, &mover, &code, &mover.token(METHOD)).await;
    assert_eq!(again.error(), (400, "AlreadyExists"));
});

on_both!(only_the_key_of_the_identity_opens_the_door, |pds| async move {
    let (mover, other) = (Mover::new(&*pds.directory).await, Mover::new(&*pds.directory).await);
    let code = pds.invite(5).await;
    let change = |change: fn(&mut Claims)| {
        let mut claims = mover.claims(METHOD);
        change(&mut claims);
        issue(&mover.key, &claims).unwrap()
    };
    for (token, error) in [
        (change(|claims| claims.aud = "did:web:elsewhere.org".to_owned()), "BadJwtAudience"),
        (change(|claims| claims.lxm = Some("com.atproto.repo.uploadBlob".to_owned())), "BadJwtLexiconMethod"),
        (change(|claims| claims.lxm = None), "BadJwtLexiconMethod"),
        (change(|claims| claims.exp -= 2 * MINUTE), "JwtExpired"),
        (issue(&SigningKey::generate(), &mover.claims(METHOD)).unwrap(), "BadJwtSignature"),
        (issue(&mover.key, &other.claims(METHOD)).unwrap(), "BadJwtSignature"),
        (other.token(METHOD), "AuthenticationRequired"),
        (change(|claims| claims.iss.push_str("#atproto_labeler")), "AuthenticationRequired"),
        (change(|claims| claims.iss = "alice.elsewhere.org".to_owned()), "BadJwtIss"),
        (change(|claims| claims.iss = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".to_owned()), "AuthenticationRequired"),
        ("nonsense".to_owned(), "BadJwt"),
        ("a".repeat(5000), "BadJwt"),
    ] {
        let answer = move_in(&pds, &mover, &code, &token).await;
        assert_eq!(answer.error(), (401, error), "{}", answer.body);
    }
    assert_eq!(pds_store::account::count(&pds.app.db).await.unwrap(), 0);
    let _: Value = move_in(&pds, &mover, &code, &mover.token(METHOD)).await.ok();
});

on_both!(a_token_of_the_account_itself_uploads_a_blob_and_nothing_else, |pds| async move {
    // The service that prepares videos has such a token. AL-FED-2
    const UPLOAD: &str = "com.atproto.repo.uploadBlob";
    let (mover, stranger) = (Mover::new(&*pds.directory).await, Mover::new(&*pds.directory).await);
    let unknown = Mover::new(&*pds.directory).await;
    mover.move_in(&pds).await.ok();
    let upload = async |token: &str| {
        let request = pds.post(UPLOAD).bearer_auth(token).header("content-type", "text/plain");
        send(request.body("a film")).await
    };
    let blob = upload(&mover.token(UPLOAD)).await.ok();
    assert_eq!(blob["blob"]["size"], 6);
    let mut labeler = mover.claims(UPLOAD);
    labeler.iss.push_str("#bsky_fg");
    for (token, status, error) in [
        (mover.token("com.atproto.repo.createRecord"), 401, "BadJwtLexiconMethod"),
        (issue(&SigningKey::generate(), &mover.claims(UPLOAD)).unwrap(), 401, "BadJwtSignature"),
        (issue(&mover.key, &labeler).unwrap(), 401, "UntrustedIss"),
        (stranger.token(UPLOAD), 400, "AccountNotFound"),
    ] {
        let answer = upload(&token).await;
        assert_eq!(answer.error(), (status, error), "{}", answer.body);
    }
    // Nobody is asked about an account that is not here: the directory would not answer.
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(upload(&unknown.token(UPLOAD)).await.error(), (400, "AccountNotFound"));
    pds.directory.away.store(false, Ordering::Relaxed);
    let session =
        send(pds.get("com.atproto.server.getSession").bearer_auth(mover.token("com.atproto.server.getSession")));
    assert_eq!(session.await.error(), (400, "InvalidToken"));
});

on_both!(a_key_that_was_rotated_is_found_and_the_former_one_is_refused, |pds| async move {
    // AL-FED-2
    const UPLOAD: &str = "com.atproto.repo.uploadBlob";
    let mut mover = Mover::new(&*pds.directory).await;
    mover.move_in(&pds).await.ok();
    let upload = async |token: String| {
        send(pds.post(UPLOAD).bearer_auth(token).header("content-type", "text/plain").body("a film")).await
    };
    upload(mover.token(UPLOAD)).await.ok();
    let former = std::mem::replace(&mut mover.key, SigningKey::generate());
    let last = plc::Directory::last(&*pds.directory, &mover.did).await.unwrap();
    let next = last.with_signing_key(&mover.key.did_key()).sign(&mover.rotation);
    plc::Directory::submit(&*pds.directory, &mover.did, &next).await.unwrap();
    // The document in the cache names the former key.
    upload(mover.token(UPLOAD)).await.ok();
    assert_eq!(upload(issue(&former, &mover.claims(UPLOAD)).unwrap()).await.error(), (401, "BadJwtSignature"));
});
