//! An account moves from one server to another: the stock client does it, and verifies the result. `e2e/moving` does the same with the
//! reference implementation.

use std::{path::PathBuf, process::Command};

use data_encoding::HEXLOWER;
use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_store::account;
use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, Database, TestPds},
    server::directory::directory,
};

/// Runs a script of `e2e/clients` and returns what it prints.
async fn client(script: &str, task: &Value) -> Value {
    let folder = std::env::var("AURORA_NPM_DIR");
    let folder = PathBuf::from(folder.expect("AURORA_NPM_DIR is not set: run `make test`, which installs the clients"));
    let mut command = Command::new(folder.join("node"));
    command.arg(folder.join(script)).arg(task.to_string());
    // The servers are in this process.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A server of its own name.
async fn server(database: Database, hostname: &str) -> TestPds {
    let domains = format!(".{hostname}");
    let settings = [("PDS_HOSTNAME", hostname), ("PDS_SERVICE_HANDLE_DOMAINS", domains.as_str())];
    TestPds::with_directory_and(database, directory().1, &settings).await
}

/// A token of the account for `createAccount` at another server.
async fn service_token(pds: &TestPds, did: &str, aud: &str) -> String {
    let did = did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let actor = pds.app.actors.load(id, &did).await.unwrap();
    let now = jiff::Timestamp::now().as_second();
    let lxm = Some("com.atproto.server.createAccount".to_owned());
    let claims = Claims { iss: did.to_string(), aud: aud.to_owned(), exp: now + 600, iat: Some(now), lxm, jti: None };
    issue(&actor.key, &claims).unwrap()
}

fn side(pds: &TestPds, hostname: &str) -> Value {
    json!({
        "url": pds.url, "identifier": format!("alice.{hostname}"), "handle": format!("alice.{hostname}"),
        "email": "alice@example.com", "password": "correct horse", "adminPassword": ADMIN_PASSWORD,
    })
}

#[tokio::test]
async fn an_account_moves_between_two_of_ours_and_back() {
    // AL-FED-1, AL-IDN-3
    let one = server(Database::sqlite(), "one.test").await;
    let two = server(Database::postgres().await, "two.test").await;
    let plc = std::env::var("AURORA_TEST_PLC_URL").unwrap();
    let rotation = HEXLOWER.encode(&*SigningKey::generate().to_bytes());
    let mut newcomer = side(&one, "one.test");
    newcomer["rotationKey"] = json!(rotation);
    newcomer["posts"] = json!(120);
    newcomer["inviteCode"] = json!(one.invite(1).await);
    let did = client("newcomer.mjs", &newcomer).await["did"].as_str().unwrap().to_owned();

    let (mut from, to) = (side(&one, "one.test"), side(&two, "two.test"));
    from["token"] = json!(service_token(&one, &did, "did:web:two.test").await);
    let moved = client("move.mjs", &json!({"plc": plc, "from": from, "to": to, "rotationKey": rotation})).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(did), &json!(120), &json!(1)));

    let mut back = side(&one, "one.test");
    back["existing"] = json!(true);
    let task = json!({"plc": plc, "from": side(&two, "two.test"), "to": back, "rotationKey": rotation});
    let moved = client("move.mjs", &task).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(did), &json!(121), &json!(1)));
}
