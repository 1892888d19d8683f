//! An account moves from one server to another, and back: between two of this server on different databases, and between this server and the reference
//! implementation. The stock client does it, and verifies the repository and the blobs after each move.

use std::{path::Path, time::Duration};

use data_encoding::HEXLOWER;
use pds_crypto::SigningKey;
use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, Database, Mailpit, Peer, TestPds, script, send},
    server::directory::directory,
};

const POSTS: usize = 120;

/// Runs a script of `e2e/clients`.
async fn client(name: &str, task: &Value) -> Value {
    let folder = std::env::var("AURORA_NPM_DIR");
    let folder = folder.expect("AURORA_NPM_DIR is not set: run `make test`, which installs the clients");
    script(Path::new(&folder).join(name), task).await
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

/// The reference implementation.
async fn reference(mail: &Mailpit) -> Peer {
    let mail = mail.settings();
    let mut settings =
        vec![("PDS_SERVICE_DID", "did:web:reference.test"), ("PDS_SERVICE_HANDLE_DOMAINS", ".reference.test")];
    settings.extend(mail.iter().map(|(name, value)| (*name, value.as_str())));
    Peer::start(&settings).await
}

/// Alice's account at the server with this name.
fn side(url: &str, hostname: &str, mail: &Mailpit) -> Value {
    json!({
        "url": url, "identifier": format!("alice.{hostname}"), "handle": format!("alice.{hostname}"),
        "email": mail.address("alice"), "password": "correct horse", "adminPassword": ADMIN_PASSWORD,
    })
}

/// Makes the account at the first server and moves it from each to the next; where it has been before, it comes back. The owner signs with a rotation
/// key, or else the former server with a mailed code.
async fn moves(sides: &[Value], mail: &Mailpit, rotation: Option<String>) {
    let plc = std::env::var("AURORA_TEST_PLC_URL").unwrap();
    let mut newcomer = sides[0].clone();
    newcomer["rotationKey"] = json!(rotation);
    newcomer["posts"] = json!(POSTS);
    newcomer["inviteCode"] = json!(invite(&newcomer).await);
    let did = client("newcomer.mjs", &newcomer).await["did"].as_str().unwrap().to_owned();
    for (at, pair) in sides.windows(2).enumerate() {
        let (from, mut to) = (&pair[0], pair[1].clone());
        to["existing"] = json!(sides[..=at].contains(&to));
        let task = json!({"plc": plc, "from": from, "to": to, "rotationKey": rotation, "mailpit": mail.url()});
        let moved = client("move.mjs", &task).await;
        // Each move adds a record.
        assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(did), &json!(POSTS + at), &json!(1)));
    }
}

async fn invite(side: &Value) -> Value {
    let url = format!("{}/xrpc/com.atproto.server.createInviteCode", side["url"].as_str().unwrap());
    let request = reqwest::Client::new().post(url).basic_auth("admin", Some(ADMIN_PASSWORD));
    send(request.json(&json!({"useCount": 1}))).await.ok()["code"].clone()
}

fn rotation_key() -> Option<String> {
    Some(HEXLOWER.encode(&*SigningKey::generate().to_bytes()))
}

async fn between_two_of_ours(rotation: Option<String>) {
    // AL-FED-1, AL-IDN-3, AL-SYN-1
    let mail = Mailpit::shared();
    let one = server(Database::sqlite(), "one.test", &mail).await;
    let two = server(Database::postgres().await, "two.test", &mail).await;
    let (first, second) = (side(&one.url, "one.test", &mail), side(&two.url, "two.test", &mail));
    moves(&[first.clone(), second, first], &mail, rotation).await;
}

#[tokio::test]
async fn an_account_moves_and_comes_back_with_mailed_codes() {
    between_two_of_ours(None).await;
}

#[tokio::test]
async fn an_account_moves_and_comes_back_with_a_key_of_its_owner() {
    between_two_of_ours(rotation_key()).await;
}

/// From the reference to this server on SQLite, on to this server on Postgres, and back to the reference.
async fn between_the_reference_and_ours(rotation: Option<String>) {
    // AL-FED-1, AL-IDN-3, AL-SYN-1
    let mail = Mailpit::shared();
    let peer = reference(&mail).await;
    let one = server(Database::sqlite(), "one.test", &mail).await;
    let two = server(Database::postgres().await, "two.test", &mail).await;
    let home = side(&peer.url, "reference.test", &mail);
    let stops = [side(&one.url, "one.test", &mail), side(&two.url, "two.test", &mail)];
    moves(&[home.clone(), stops[0].clone(), stops[1].clone(), home], &mail, rotation).await;
}

#[tokio::test]
async fn an_account_of_the_reference_moves_in_and_goes_back_with_mailed_codes() {
    between_the_reference_and_ours(None).await;
}

#[tokio::test]
async fn an_account_of_the_reference_moves_in_and_goes_back_with_a_key_of_its_owner() {
    between_the_reference_and_ours(rotation_key()).await;
}

/// An account of ours that starts here and ends at the reference.
#[tokio::test]
async fn an_account_moves_out_to_the_reference() {
    // AL-FED-1
    let mail = Mailpit::shared();
    let (one, peer) = (server(Database::postgres().await, "one.test", &mail).await, reference(&mail).await);
    moves(&[side(&one.url, "one.test", &mail), side(&peer.url, "reference.test", &mail)], &mail, None).await;
}

/// Who was taken down may leave, with everything.
#[tokio::test]
async fn a_taken_down_account_moves_out_to_the_reference() {
    // AL-FED-1, AL-MOD-1
    let mail = Mailpit::shared();
    let (one, peer) = (server(Database::sqlite(), "one.test", &mail).await, reference(&mail).await);
    let mut from = side(&one.url, "one.test", &mail);
    from["takenDown"] = json!(true);
    moves(&[from, side(&peer.url, "reference.test", &mail)], &mail, None).await;
}
