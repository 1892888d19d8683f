//! Accounts in a real PLC directory, which judges every operation.

use std::{sync::Arc, time::Duration};

use pds_crypto::SigningKey;
use pds_identity::{Roots, plc::HttpDirectory};
use serde_json::{Value, json};

use crate::harness::{Mover, TestPds, send};

/// The directory that the tests run with.
pub(crate) fn directory() -> (String, Arc<HttpDirectory>) {
    let url = std::env::var("AURORA_TEST_PLC_URL");
    let url = url.expect("AURORA_TEST_PLC_URL is not set: run `make test`, which starts a directory");
    let directory = HttpDirectory::new(&url.parse().unwrap(), Duration::from_secs(5), &Roots::default()).unwrap();
    (url, Arc::new(directory))
}

#[tokio::test]
async fn a_real_directory_takes_the_account_and_its_new_handle() {
    // AL-IDN-2, AL-IDN-4
    let (url, directory) = directory();
    let pds = TestPds::with_directory(directory).await;
    let recovery = SigningKey::generate().did_key();
    let input = json!({
        "handle": "alice.pds.test", "email": "alice@example.com", "password": "correct horse", "recoveryKey": recovery,
        "inviteCode": pds.invite(1).await,
    });
    let session = pds.sign_up(input).await.ok();
    assert_eq!(session["didDoc"]["id"], session["did"]);
    let alice = pds.person_of(session);
    let data = async || send(pds.http.get(format!("{url}/{}/data", alice.did))).await.ok();

    let first: Value = data().await;
    assert_eq!(first["alsoKnownAs"], json!(["at://alice.pds.test"]));
    assert_eq!(first["services"]["atproto_pds"]["endpoint"], "https://pds.test");
    assert_eq!(first["rotationKeys"], json!([recovery, pds.app.keys.rotation.did_key()]));

    let changed = alice.call("com.atproto.identity.updateHandle", json!({"handle": "alicia.pds.test"})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let second: Value = data().await;
    assert_eq!(second["alsoKnownAs"], json!(["at://alicia.pds.test"]));
    assert_eq!(second["verificationMethods"], first["verificationMethods"]);
    let held = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!(held["didDoc"]["alsoKnownAs"], json!(["at://alicia.pds.test"]));
}

#[tokio::test]
async fn a_handle_that_the_directory_does_not_let_us_change_stays() {
    // An account that has just moved in: its identity does not know this host's key yet.
    let (_, directory) = directory();
    let pds = TestPds::with_directory(directory.clone()).await;
    let mover = Mover::new(&*directory).await;
    let alice = pds.person_of(mover.move_in(&pds).await.ok());

    let refused = alice.call("com.atproto.identity.updateHandle", json!({"handle": "alicia.pds.test"})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"), "{}", refused.body);
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alice.pds.test");
}
