//! An account moves from one server to another: the stock client does it, and verifies the result. `e2e/moving` does the same with the
//! reference implementation.

use std::{path::PathBuf, process::Command, time::Duration};

use data_encoding::HEXLOWER;
use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_store::account;
use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, Database, Mailpit, TestPds},
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

/// A server of its own name. Its mails are sent as they come.
async fn server(database: Database, hostname: &str, mail: &Mailpit) -> TestPds {
    let mut settings = mail.settings();
    settings.extend([("PDS_HOSTNAME", hostname.to_owned()), ("PDS_SERVICE_HANDLE_DOMAINS", format!(".{hostname}"))]);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pds = TestPds::with_directory_and(database, directory().1, &settings).await;
    let (mailer, shutdown) = (pds.app.emails.mailer().clone(), pds.app.shutdown.clone());
    tokio::spawn(async move {
        while !shutdown.is_cancelled() {
            mailer.send_due().await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    pds
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

fn side(pds: &TestPds, hostname: &str, mail: &Mailpit) -> Value {
    json!({
        "url": pds.url, "identifier": format!("alice.{hostname}"), "handle": format!("alice.{hostname}"),
        "email": mail.address("alice"), "password": "correct horse", "adminPassword": ADMIN_PASSWORD,
    })
}

/// Moves to another server, which is on another database, and back. The owner signs with a rotation key, or else the former server with a mailed code.
async fn moves(rotation: Option<String>) {
    // AL-FED-1, AL-IDN-3, AL-SYN-1
    let mail = Mailpit::shared();
    let one = server(Database::sqlite(), "one.test", &mail).await;
    let two = server(Database::postgres().await, "two.test", &mail).await;
    let plc = std::env::var("AURORA_TEST_PLC_URL").unwrap();
    let (first, second) = (side(&one, "one.test", &mail), side(&two, "two.test", &mail));
    let mut newcomer = first.clone();
    newcomer["rotationKey"] = json!(rotation);
    newcomer["posts"] = json!(120);
    newcomer["inviteCode"] = json!(one.invite(1).await);
    let did = client("newcomer.mjs", &newcomer).await["did"].as_str().unwrap().to_owned();

    let task = |from: &Value, to: &Value| json!({"plc": plc, "from": from, "to": to, "rotationKey": rotation, "mailpit": mail.url()});
    let mut from = first.clone();
    from["token"] = json!(service_token(&one, &did, "did:web:two.test").await);
    let moved = client("move.mjs", &task(&from, &second)).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(did), &json!(120), &json!(1)));

    let mut back = first;
    back["existing"] = json!(true);
    let moved = client("move.mjs", &task(&second, &back)).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(did), &json!(121), &json!(1)));
}

#[tokio::test]
async fn an_account_moves_and_comes_back_with_mailed_codes() {
    moves(None).await;
}

#[tokio::test]
async fn an_account_moves_and_comes_back_with_a_key_of_its_owner() {
    moves(Some(HEXLOWER.encode(&*SigningKey::generate().to_bytes()))).await;
}
