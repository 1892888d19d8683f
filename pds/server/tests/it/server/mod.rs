//! `com.atproto.server.*`.

mod activate_account;
mod check_account_status;
mod confirm_email;
mod create_account;
mod create_app_password;
mod create_invite_code;
mod create_invite_codes;
mod create_session;
mod deactivate_account;
mod delete_account;
mod delete_session;
mod describe_server;
pub(crate) mod directory;
mod get_account_invite_codes;
mod get_service_auth;
mod get_session;
mod list_app_passwords;
mod list_sessions;
mod own_identity;
mod refresh_session;
mod request_email_confirmation;
mod request_password_reset;
mod reserve_signing_key;
mod reset_password;
mod revoke_app_password;
mod second_factor;
mod session_time;
mod stored_secrets;
mod update_email;

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::{harness::send, on_both};

on_both!(a_session_lives_and_ends, |pds| async move {
    // AL-ACC-1
    let alice = pds.person("alice").await;
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((session["did"].as_str(), session["active"].as_bool()), (Some(alice.did.as_str()), Some(true)));
    assert_eq!(session["emailConfirmed"], false);

    let next = alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.ok();
    // A client whose answer was lost asks again and gets the same next token, good for the same session.
    let again = alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.ok();
    assert_eq!(next["did"], again["did"]);
    assert_ne!(next["refreshJwt"], json!(alice.refresh));

    let newest = next["refreshJwt"].as_str().unwrap();
    assert_eq!(alice.with_refresh("com.atproto.server.deleteSession", newest).await.status, 200);
    assert_eq!(alice.with_refresh("com.atproto.server.refreshSession", newest).await.error(), (400, "ExpiredToken"));
    // An access token is no refresh token, nor the other way round.
    assert_eq!(
        alice.with_refresh("com.atproto.server.refreshSession", &alice.access).await.error(),
        (400, "InvalidToken")
    );
    assert_eq!(
        send(pds.get("com.atproto.server.getSession").bearer_auth(&alice.refresh)).await.error(),
        (400, "InvalidToken")
    );
    assert_eq!(send(pds.get("com.atproto.server.getSession")).await.error(), (401, "AuthMissing"));
});

on_both!(log_in_by_handle_email_and_did, |pds| async move {
    let alice = pds.person("alice").await;
    for identifier in [alice.handle.as_str(), "ALICE@example.com", alice.did.as_str(), "Alice.PDS.test"] {
        let input = json!({"identifier": identifier, "password": "correct horse"});
        assert_eq!(
            send(pds.post("com.atproto.server.createSession").json(&input)).await.ok()["did"],
            json!(alice.did),
            "{identifier}"
        );
    }
    for (identifier, password) in [("alice.pds.test", "wrong"), ("nobody.pds.test", "correct horse"), ("", "")] {
        let input = json!({"identifier": identifier, "password": password});
        let answer = send(pds.post("com.atproto.server.createSession").json(&input)).await;
        assert_eq!(answer.error(), (401, "AuthenticationRequired"), "{identifier}");
    }
});

on_both!(sign_up_is_refused_by_name_and_leaves_nothing, |pds| async move {
    // AL-INV-1
    pds.person("alice").await;
    let good = |change: serde_json::Value, code: &str| {
        let mut input = json!({"handle": "bob.pds.test", "email": "bob@example.com", "password": "correct horse", "inviteCode": code});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        input
    };
    let code = pds.invite(10).await;
    let dids = pds.directory.count();
    for (change, error) in [
        (json!({"inviteCode": null}), "InvalidRequest"),
        (json!({"inviteCode": "no-such-code"}), "InvalidInviteCode"),
        (json!({"handle": "alice.pds.test"}), "InvalidRequest"),
        (json!({"email": "Alice@example.com"}), "InvalidRequest"),
        (json!({"email": "nonsense"}), "InvalidRequest"),
        (json!({"email": "bob..b@example.com"}), "InvalidRequest"),
        (json!({"email": ".bob@example.com"}), "InvalidRequest"),
        (json!({"handle": "bob.elsewhere.org"}), "UnsupportedDomain"),
        (json!({"handle": "a.b.pds.test"}), "InvalidHandle"),
        (json!({"handle": "ab.pds.test"}), "InvalidHandle"),
        (json!({"handle": "not a handle"}), "InvalidRequest"),
        (json!({"handle": "admin.pds.test"}), "HandleNotAvailable"),
        (json!({"password": "x".repeat(300)}), "InvalidRequest"),
        (json!({"plcOp": {}}), "InvalidRequest"),
    ] {
        let answer = pds.sign_up(good(change.clone(), &code)).await;
        assert_eq!(answer.error(), (400, error), "{change}: {}", answer.body);
    }
    assert_eq!(pds.directory.count(), dids, "no identity was published for a refused sign-up");
    // An identity of one's own has to be proven.
    let answer = pds.sign_up(good(json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}), &code)).await;
    assert_eq!(answer.error(), (401, "AuthenticationRequired"));

    // With the directory away nothing is left behind: handle, e-mail and invite are free again.
    let last = pds.invite(1).await;
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(pds.sign_up(good(json!({}), &last)).await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    pds.sign_up(good(json!({}), &last)).await.ok();
    assert_eq!(
        pds.sign_up(good(json!({"handle": "carol.pds.test", "email": "c@example.com"}), &last)).await.error(),
        (400, "InvalidInviteCode")
    );
});

on_both!(one_invite_makes_one_account, |pds| async move {
    // AL-INV-2
    let code = pds.invite(1).await;
    let tries = (0..20).map(|n| {
        let (handle, email) = (format!("racer{n}.pds.test"), format!("racer{n}@example.com"));
        pds.sign_up(json!({"handle": handle, "email": email, "password": "correct horse", "inviteCode": code}))
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(
        answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.error() == (400, "InvalidInviteCode"))
    );
});

on_both!(only_the_administrator_makes_invites, |pds| async move {
    let input = json!({"useCount": 1});
    let make = || pds.post("com.atproto.server.createInviteCode").json(&input);
    assert_eq!(send(make()).await.error(), (401, "AuthenticationRequired"));
    assert_eq!(send(make().basic_auth("admin", Some("wrong"))).await.error(), (401, "AuthenticationRequired"));
    let alice = pds.person("alice").await;
    assert_eq!(
        alice.call("com.atproto.server.createInviteCode", input.clone()).await.error(),
        (401, "AuthenticationRequired")
    );
});

on_both!(requests_are_refused_as_xrpc_says, |pds| async move {
    let described = pds.query("com.atproto.server.describeServer", &[]).await;
    assert!(described.headers.contains_key("x-request-id"));
    assert_eq!(described.headers["access-control-allow-origin"], "*");
    assert_eq!(described.ok()["inviteCodeRequired"], true);
    assert_eq!(send(pds.post("com.atproto.server.describeServer")).await.error(), (400, "InvalidRequest"));
    assert_eq!(pds.query("com.example.unknown", &[]).await.error(), (400, "InvalidRequest"));
    let answer = send(pds.post("com.atproto.server.createSession").body("x")).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"));
    let answer = send(pds.post("com.atproto.server.createSession").json(&json!({"identifier": "a"}))).await;
    assert_eq!(answer.body["message"], "Input must have the property \"password\"");
    let large = json!({"identifier": "a", "password": "x".repeat(200_000)});
    assert_eq!(send(pds.post("com.atproto.server.createSession").json(&large)).await.status, 413);
});

on_both!(an_input_is_an_object_as_it_stands, |pds| async move {
    let alice = pds.person("alice").await;
    let log_in = || pds.post("com.atproto.server.createSession");
    // The fields in the order in which the server declares them.
    let listed = send(log_in().json(&json!([alice.handle, "correct horse", null]))).await;
    assert_eq!(listed.error(), (400, "InvalidRequest"));
    assert_eq!(listed.body["message"], "Input must be a JSON object");
    let empty = send(log_in().header("content-type", "application/json")).await;
    assert_eq!(empty.error(), (400, "InvalidRequest"));

    let input = json!({"identifier": alice.handle, "password": "correct horse"});
    let compressed = send(log_in().header("content-encoding", "gzip").json(&input)).await;
    assert_eq!(compressed.error(), (415, "UnsupportedMediaType"));
    send(log_in().header("content-encoding", "identity").json(&input)).await.ok();
    // Else the compressed bytes would be stored under a name that promises something else.
    let upload = pds.post("com.atproto.repo.uploadBlob").bearer_auth(&alice.access);
    let upload = upload.header("content-type", "image/png").header("content-encoding", "gzip").body("bytes");
    assert_eq!(send(upload).await.error(), (415, "UnsupportedMediaType"));
});
