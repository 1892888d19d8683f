//! The lines of the log, while somebody signs up in a real directory.

use reqwest::Method;
use serde_json::{Value, json};

use super::process::Pds;
use crate::harness::send;

/// The lines that say how a request was answered.
fn answers(log: &str, request: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["request.id"] == request && line.get("status").is_some()).collect()
}

#[tokio::test]
async fn each_request_is_one_line_that_says_whose_and_no_secret() {
    // AL-OBS-2
    let directory = std::env::var("AURORA_TEST_PLC_URL");
    let directory = directory.expect("AURORA_TEST_PLC_URL is not set: run `make test`, which starts a directory");
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("PDS_DID_PLC_URL", directory.as_str()),
        ("PDS_INVITE_REQUIRED", "false"),
        ("PDS_ADMIN_PASSWORD", "admin-password-of-a-test"),
    ];
    let pds = Pds::start(folder.path(), &settings).await;
    let call = |method: Method, name: &str| pds.request(method, &format!("/xrpc/com.atproto.server.{name}"));
    let input = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let answer = send(call(Method::POST, "createAccount").json(&input)).await;
    let created = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    let session = answer.ok();
    assert_eq!(created[0]["account.did"], session["did"]);
    let access = session["accessJwt"].as_str().unwrap();

    let answer = send(call(Method::GET, "getSession").bearer_auth(access)).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(logged.len(), 1, "{}", pds.log());
    assert_eq!(logged[0]["route"], "com.atproto.server.getSession");
    assert_eq!((&logged[0]["method"], &logged[0]["status"]), (&json!("GET"), &json!(200)));
    assert_eq!(logged[0]["account.did"], session["did"]);
    assert!(logged[0]["duration_ms"].is_number());

    let answer = send(call(Method::GET, "getSession").bearer_auth("not-a-token")).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&logged[0]["status"], &logged[0]["error"]), (&json!(400), &json!("InvalidToken")));

    let input = json!({"identifier": "alice.test", "password": "wrong horse"});
    let answer = send(call(Method::POST, "createSession").json(&input)).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&logged[0]["status"], &logged[0]["error"]), (&json!(401), &json!("AuthenticationRequired")));
    assert_eq!(logged[0]["route"], "com.atproto.server.createSession");

    let act = pds.request(Method::POST, "/xrpc/com.atproto.admin.updateAccountPassword");
    let input = json!({"did": session["did"], "password": "battery staple"});
    let answer = send(act.basic_auth("admin", Some("admin-password-of-a-test")).json(&input)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let log = pds.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let acts = lines.filter(|line| line["message"].as_str().unwrap_or_default().starts_with("an administrator set"));
    let acts: Vec<_> = acts.collect();
    assert_eq!((acts.len(), &acts[0]["account.did"]), (1, &session["did"]));
    assert_eq!(acts[0]["span"]["request.id"], answer.headers["x-request-id"].to_str().unwrap());

    for secret in [
        "correct horse",
        "wrong horse",
        "battery staple",
        "admin-password-of-a-test",
        "not-a-token",
        "alice@example.com",
        access,
        session["refreshJwt"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
