//! `com.atproto.server.getServiceAuth`.

use serde_json::json;

use crate::{harness::send, on_both, proxy::token::verified};

const METHOD: &str = "com.atproto.server.getServiceAuth";
const UPLOAD: &str = "com.atproto.repo.uploadBlob";

on_both!(another_implementation_accepts_a_service_token, |pds| async move {
    // AL-FED-2
    let alice = pds.person("alice").await;
    let audience = "did:web:video.example.com#bsky_video";
    let now = pds_server::clock::Clock::now_s(&*pds.clock);
    let exp = (now + 1_800).to_string();
    let answer = alice.query(METHOD, &[("aud", audience), ("lxm", UPLOAD), ("exp", &exp)]).await.ok();
    let token = answer["token"].as_str().unwrap();
    let claims = verified(&pds, &alice, token, audience, Some(UPLOAD)).await;
    assert_eq!(
        (&claims["iss"], &claims["lxm"], &claims["exp"]),
        (&json!(alice.did), &json!(UPLOAD), &json!(now + 1_800))
    );
    assert_eq!(claims["jti"].as_str().unwrap().len(), 32);

    let answer = alice.query(METHOD, &[("aud", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")]).await.ok();
    let claims =
        verified(&pds, &alice, answer["token"].as_str().unwrap(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz", None).await;
    assert_eq!(claims["lxm"], json!(null));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    // Each is a new one: its receiver may accept it once.
    let other = alice.query(METHOD, &[("aud", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")]).await.ok();
    assert_ne!(other, answer);
});

on_both!(tokens_are_refused_as_the_reference_refuses_them, |pds| async move {
    let alice = pds.person("alice").await;
    let now = pds_server::clock::Clock::now_s(&*pds.clock);
    let at = |seconds: i64| (now + seconds).to_string();
    let aud = ("aud", "did:web:api.example.com");
    let (past, late, later) = (at(-10), at(120), at(3_700));
    for (params, error, message) in [
        (vec![], "InvalidRequest", "Params must have the property \"aud\""),
        (
            vec![("aud", "api.example.com")],
            "InvalidRequest",
            "aud must be a valid atproto DID or did#serviceId reference",
        ),
        (vec![("aud", "did:key:zQ3s")], "InvalidRequest", "aud must be a valid atproto DID or did#serviceId reference"),
        (vec![aud, ("exp", &past)], "BadExpiration", "expiration is in past"),
        (
            vec![aud, ("exp", &late)],
            "BadExpiration",
            "cannot request a method-less token with an expiration more than a minute in the future",
        ),
        (
            vec![aud, ("lxm", UPLOAD), ("exp", &later)],
            "BadExpiration",
            "cannot request a token with an expiration more than an hour in the future",
        ),
        (
            vec![aud, ("lxm", "com.atproto.server.deactivateAccount")],
            "InvalidRequest",
            "cannot request a service auth token for the following protected method: com.atproto.server.deactivateAccount",
        ),
        (
            vec![aud, ("lxm", "com.atproto.server.GETSESSION")],
            "InvalidRequest",
            "cannot request a service auth token for the following protected method: com.atproto.server.GETSESSION",
        ),
    ] {
        let answer = alice.query(METHOD, &params).await;
        assert_eq!(answer.error(), (400, error), "{params:?}");
        assert_eq!(answer.body["message"], message, "{params:?}");
    }
    assert_eq!(send(pds.get(METHOD).query(&[aud])).await.error(), (401, "AuthMissing"));
});

on_both!(an_account_that_was_taken_down_gets_a_token_to_move_away, |pds| async move {
    let alice = pds.person("alice").await;
    let subject = json!({"subject": {"$type": "com.atproto.admin.defs#repoRef", "did": alice.did}, "takedown": {"applied": true}});
    assert_eq!(pds.admin("com.atproto.admin.updateSubjectStatus", subject).await.status, 200);
    let login = json!({"identifier": "alice.pds.test", "password": "correct horse", "allowTakendown": true});
    let session = send(pds.post("com.atproto.server.createSession").json(&login)).await.ok();
    let aud = ("aud", "did:web:pds.example.com");
    // Also with a session of before, which has no more rights than the new one.
    for token in [session["accessJwt"].as_str().unwrap(), &alice.access] {
        let ask = |params: Vec<(&'static str, &'static str)>| send(pds.get(METHOD).bearer_auth(token).query(&params));
        ask(vec![aud, ("lxm", "com.atproto.server.createAccount")]).await.ok();
        assert_eq!(ask(vec![aud, ("lxm", UPLOAD)]).await.error(), (400, "InvalidToken"));
        assert_eq!(ask(vec![aud]).await.error(), (400, "InvalidToken"));
    }
});
