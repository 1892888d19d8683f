//! `com.atproto.admin.updateAccountSigningKey`

use std::{sync::Arc, sync::atomic::Ordering};

use pds_identity::plc;
use pds_repo::{car, commit};
use pds_store::reserved_key;
use serde_json::json;

use crate::{
    harness::{Database, Person, TestPds, send},
    on_both,
    server::directory::directory,
};

const METHOD: &str = "com.atproto.admin.updateAccountSigningKey";
/// Longer than a change takes; microseconds.
const LATER_US: i64 = 10 * 60 * 1_000_000;

async fn reserve(pds: &TestPds) -> String {
    let answer = send(pds.post("com.atproto.server.reserveSigningKey").json(&json!({}))).await.ok();
    answer["signingKey"].as_str().unwrap().to_owned()
}

/// Whether the head of the repository is signed with this key.
async fn is_signed_with(person: &Person, key: &str) -> bool {
    let file = person.car().await;
    let mut blocks = car::Reader::new(&file).unwrap();
    let root = blocks.root;
    let (_, block) = blocks.by_ref().map(Result::unwrap).find(|(cid, _)| *cid == root).unwrap();
    commit::decode(block).unwrap().verify(&pds_crypto::PublicKey::from_did_key(key).unwrap()).is_ok()
}

async fn named(directory: &dyn plc::Directory, person: &Person) -> String {
    let last = directory.last(&person.did.parse().unwrap()).await.unwrap();
    last.operation.verification_methods["atproto"].clone()
}

async fn changes(pds: TestPds, directory: Arc<dyn plc::Directory>) {
    let alice = pds.person("alice").await;
    alice.post("before").await;
    let (former, key) = (named(&*directory, &alice).await, reserve(&pds).await);
    let mut firehose = pds.firehose(None).await;
    assert!(is_signed_with(&alice, &former).await);
    let input = json!({"did": alice.did, "signingKey": key});
    let changed = pds.admin(METHOD, input.clone()).await;
    assert_eq!(changed.status, 200, "{}", changed.body);

    assert_eq!(named(&*directory, &alice).await, key);
    assert!(is_signed_with(&alice, &key).await);
    let kinds: Vec<_> = firehose.take(2).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["#identity", "#sync"]);
    alice.post("after").await;
    assert!(is_signed_with(&alice, &key).await);
    assert_eq!(firehose.next().await.kind, "#commit");
    let wanted = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    assert_eq!(wanted["verificationMethods"]["atproto"], json!(key));
    assert_eq!(crate::sync::verify(&alice.car().await, &alice.did), 2);

    // It is used up; and a key that this server does not have would end the repository.
    for other in [key, pds_crypto::SigningKey::generate().did_key()] {
        let refused = pds.admin(METHOD, json!({"did": alice.did, "signingKey": other})).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{}", refused.body);
    }
    let nobody = json!({"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "signingKey": reserve(&pds).await});
    assert_eq!(pds.admin(METHOD, nobody).await.status, 400);
    assert_eq!(send(pds.post(METHOD).json(&input)).await.error(), (401, "AuthenticationRequired"));
}

on_both!(the_key_changes_in_document_and_repository, |pds| async move {
    let directory = pds.directory.clone();
    changes(pds, directory).await;
});

#[tokio::test]
async fn a_real_directory_takes_the_new_key() {
    let (_, directory) = directory();
    changes(TestPds::on_with_directory(Database::sqlite(), directory.clone()).await, directory).await;
}

on_both!(another_replica_signs_with_the_new_key, |one| async move {
    let two = one.replica().await;
    let alice = one.person("alice").await;
    let there = alice.at(&two.url);
    // Both have the repository in memory.
    alice.post("here").await;
    there.post("there").await;
    let key = reserve(&one).await;
    one.admin(METHOD, json!({"did": alice.did, "signingKey": key})).await.ok();
    there.post("there again").await;
    assert!(is_signed_with(&there, &key).await);
    alice.post("here again").await;
    assert!(is_signed_with(&alice, &key).await);
});

on_both!(a_change_that_is_interrupted_is_undone_or_finished, |pds| async move {
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let (former, key) = (named(&*pds.directory, &alice).await, reserve(&pds).await);
    let input = json!({"did": alice.did, "signingKey": key});
    let later = async || {
        let now = pds_server::clock::Clock::now_us(&*pds.clock) + LATER_US;
        pds.app.identities.finish_interrupted(now).await.unwrap();
    };
    // Before the directory has it.
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(pds.admin(METHOD, input.clone()).await.error(), (503, "ServiceUnavailable"));
    later().await;
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(
        pds.admin(METHOD, input.clone()).await.error(),
        (400, "InvalidRequest"),
        "it is under way until the job has looked"
    );
    later().await;
    assert!(is_signed_with(&alice, &former).await);

    // After the directory has it.
    let id = pds_store::account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    assert!(reserved_key::begin_change(&mut tx, id, &key, 0).await.unwrap());
    tx.commit().await.unwrap();
    let next = plc::Directory::last(&*pds.directory, &did).await.unwrap().with_signing_key(&key);
    let next = pds.app.keys.rotation.sign(next).await.unwrap();
    plc::Directory::submit(&*pds.directory, &did, &next).await.unwrap();
    later().await;
    assert!(is_signed_with(&alice, &key).await);
    alice.post("after").await;
    assert!(is_signed_with(&alice, &key).await);
});
