//! An account moves from one server to another, and back: between two of this server on different databases, and between this server and the reference
//! implementation. The stock client does it, and verifies the repository and the blobs after each move.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, body::to_bytes, http, response::IntoResponse};
use data_encoding::HEXLOWER;
use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_store::account;
use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, APP_VIEW, Answer, Database, Mailpit, Peer, TestPds, TlsFront, Upstream, script, send},
    server::directory::directory,
};

const POSTS: usize = 120;

/// Runs a script of `e2e/clients`.
async fn client(name: &str, task: &Value) -> Value {
    let folder = std::env::var("AURORA_NPM_DIR");
    let folder = folder.expect("AURORA_NPM_DIR is not set: run `make test`, which installs the clients");
    script(Path::new(&folder).join(name), task).await
}

/// Servers without an AppView have no preferences. This one is never asked.
const UNASKED: [(&str, &str); 2] =
    [("PDS_BSKY_APP_VIEW_URL", "http://127.0.0.1:1"), ("PDS_BSKY_APP_VIEW_DID", APP_VIEW)];

/// A server of its own name. Its mails are sent as they come.
async fn server(database: Database, hostname: &str, mail: &Mailpit) -> TestPds {
    server_with(database, hostname, mail, &[]).await
}

/// The same with settings of its own.
async fn server_with(database: Database, hostname: &str, mail: &Mailpit, more: &[(&'static str, &str)]) -> TestPds {
    let mut settings = mail.settings();
    settings.extend([("PDS_HOSTNAME", hostname.to_owned()), ("PDS_SERVICE_HANDLE_DOMAINS", format!(".{hostname}"))]);
    settings.extend(UNASKED.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())));
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
    settings.extend(UNASKED);
    settings.extend(mail.iter().map(|(name, value)| (*name, value.as_str())));
    Peer::start(&settings).await
}

/// Alice's account at the reference implementation, whose imports do not sign anything.
fn side_of_reference(peer: &Peer, mail: &Mailpit) -> Value {
    let mut side = side(&peer.url, "reference.test", mail);
    side["keepsCommit"] = json!(true);
    side
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
        assert_eq!(moved["preferences"], json!(["app.bsky.actor.defs#adultContentPref"]));
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
    let home = side_of_reference(&peer, &mail);
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
    moves(&[side(&one.url, "one.test", &mail), side_of_reference(&peer, &mail)], &mail, None).await;
}

/// Who was taken down may leave, with everything.
#[tokio::test]
async fn a_taken_down_account_moves_out_to_the_reference() {
    // AL-FED-1, AL-MOD-1
    let mail = Mailpit::shared();
    let (one, peer) = (server(Database::sqlite(), "one.test", &mail).await, reference(&mail).await);
    let mut from = side(&one.url, "one.test", &mail);
    from["takenDown"] = json!(true);
    moves(&[from, side_of_reference(&peer, &mail)], &mail, None).await;
}

/// The web server of somebody who has a did:web: it serves the document with TLS, and its owner puts another one there.
struct Site {
    did: String,
    /// Where the owner puts the document.
    document: String,
    front: TlsFront,
}

impl Site {
    /// With a document that names this key, and a server elsewhere.
    async fn start(key: &SigningKey) -> Self {
        const PATH: &str = "/.well-known/did.json";
        let ((front, listener), web) = (TlsFront::start().await, Upstream::start().await);
        front.open(listener, web.url());
        let did = format!("did:web:{}", front.url.trim_start_matches("https://").replace(':', "%3A"));
        let method = json!({
            "id": format!("{did}#atproto"), "type": "Multikey", "controller": did, "publicKeyMultibase": key.public().multikey(),
        });
        let service = json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://elsewhere.org"});
        let document = json!({"id": did, "verificationMethod": [method], "service": [service]});
        let served = Arc::new(Mutex::new(document));
        web.answer(PATH, move |request| {
            let served = served.clone();
            Box::pin(async move {
                if request.method() == http::Method::PUT {
                    let body = to_bytes(request.into_body(), 64 << 10).await.unwrap();
                    *served.lock().unwrap() = serde_json::from_slice(&body).unwrap();
                }
                let document = served.lock().unwrap().clone();
                Json(document).into_response()
            })
        });
        Self { did, document: format!("{}{PATH}", web.url()), front }
    }

    /// What a server has to be told that is to read the document.
    fn settings(&self) -> [(&'static str, &str); 2] {
        [("PDS_CA_FILE", &self.front.ca), ("PDS_OUTBOUND_ALLOW", "localhost")]
    }

    /// The answer to `createAccount` with a token that this key has signed.
    async fn move_in(&self, pds: &TestPds, key: &SigningKey, side: &Value) -> Answer {
        const METHOD: &str = "com.atproto.server.createAccount";
        let (now, aud) = (jiff::Timestamp::now().as_second(), pds.app.settings.service.did.to_string());
        let lxm = Some(METHOD.to_owned());
        let claims = Claims { iss: self.did.clone(), aud, exp: now + 60, iat: Some(now), lxm, jti: None };
        let input = json!({
            "did": self.did, "handle": side["handle"], "email": side["email"], "password": side["password"],
            "inviteCode": pds.invite(1).await,
        });
        send(pds.post(METHOD).bearer_auth(issue(key, &claims).unwrap()).json(&input)).await
    }

    /// The document that an account's server recommends.
    async fn publish(&self, credentials: &Value) {
        let did = &self.did;
        let key = credentials["verificationMethods"]["atproto"].as_str().unwrap().trim_start_matches("did:key:");
        let service = &credentials["services"]["atproto_pds"];
        let document = json!({
            "id": did, "alsoKnownAs": credentials["alsoKnownAs"],
            "verificationMethod": [{"id": format!("{did}#atproto"), "type": "Multikey", "controller": did, "publicKeyMultibase": key}],
            "service": [{"id": "#atproto_pds", "type": service["type"], "serviceEndpoint": service["endpoint"]}],
        });
        send(reqwest::Client::new().put(&self.document).json(&document)).await.ok();
    }
}

#[tokio::test]
async fn an_account_with_a_did_web_of_its_owner_moves_and_comes_back() {
    // AL-IDN-6, AL-FED-1: the stock client does it, the document is read with TLS, from a server whose certificate the hosts were told.
    let (mail, key) = (Mailpit::shared(), SigningKey::generate());
    let site = Site::start(&key).await;
    let one = server_with(Database::sqlite(), "one.test", &mail, &site.settings()).await;
    let two = server_with(Database::postgres().await, "two.test", &mail, &site.settings()).await;
    let (first, second) = (side(&one.url, "one.test", &mail), side(&two.url, "two.test", &mail));

    // Who does not know the authority, or may not reach the address, has no proof of the identity.
    for settings in [&site.settings()[..1], &site.settings()[1..]] {
        let stranger = server_with(Database::sqlite(), "three.test", &mail, settings).await;
        let refused = site.move_in(&stranger, &key, &side(&stranger.url, "three.test", &mail)).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
        assert_eq!(account::count(&stranger.app.db).await.unwrap(), 0);
    }
    let forged = site.move_in(&one, &SigningKey::generate(), &first).await;
    assert_eq!(forged.error(), (401, "BadJwtSignature"), "{}", forged.body);

    let alice = one.person_of(site.move_in(&one, &key, &first).await.ok());
    let refused = alice.bare("com.atproto.server.activateAccount").await;
    let reason = "DID document atproto_pds service endpoint does not match PDS public url";
    assert_eq!((refused.error(), refused.body["message"].as_str()), ((400, "InvalidRequest"), Some(reason)));
    let credentials = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    site.publish(&credentials).await;
    alice.bare("com.atproto.server.activateAccount").await.ok();
    for n in 0..3 {
        alice.post(&format!("post {n}")).await;
    }
    let blob = alice.upload(b"a picture".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.thing", json!({"$type": "com.example.thing", "blob": blob})).await.ok();

    let plc = std::env::var("AURORA_TEST_PLC_URL").unwrap();
    let task = |from: &Value, to: &Value| json!({"plc": plc, "from": from, "to": to, "document": site.document});
    let moved = client("move.mjs", &task(&first, &second)).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(site.did), &json!(4), &json!(1)));
    let mut back = first.clone();
    back["existing"] = json!(true);
    let moved = client("move.mjs", &task(&second, &back)).await;
    assert_eq!((&moved["did"], &moved["records"], &moved["blobs"]), (&json!(site.did), &json!(5), &json!(1)));

    // A handle of a did:web changes once its owner's document has it.
    let alice = one.person_of(one.log_in(&site.did, "correct horse").await.ok());
    let update = || alice.call("com.atproto.identity.updateHandle", json!({"handle": "alicia.one.test"}));
    assert_eq!(update().await.body["message"], "DID is not properly configured for handle");
    let mut credentials = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    credentials["alsoKnownAs"] = json!(["at://alicia.one.test"]);
    site.publish(&credentials).await;
    update().await.ok();
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alicia.one.test");
    // Its operations are nowhere.
    let submit = json!({"operation": {}});
    assert_eq!(alice.call("com.atproto.identity.submitPlcOperation", submit).await.status, 400);
}
