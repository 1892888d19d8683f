//! `com.atproto.server.requestAccountDelete` and `deleteAccount`, the purge, and restoring (AL-LIFE).

use std::time::Duration;

use pds_server::job::account_purge;
use pds_store::{AccountId, account, email_token::Purpose};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Person, TestPds, send},
    on_both, on_both_mailed, on_places,
};

const DELETE: &str = "com.atproto.server.deleteAccount";
const RESTORE: &str = "dev.auroralocus.admin.restoreAccount";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn delete(pds: &TestPds, person: &Person, password: &str, code: &str) -> Answer {
    let input = json!({"did": person.did, "password": password, "token": code});
    send(pds.post(DELETE).json(&input)).await
}

async fn purge(pds: &TestPds) {
    let (db, blobs, grace) = (pds.app.db.clone(), pds.app.blobs.clone(), pds.app.settings.mail.delete_grace);
    account_purge::run(db, blobs, grace, pds.app.clock.now_us()).await.unwrap();
}

async fn sees(pds: &TestPds, person: &Person) -> Vec<(u16, String)> {
    let did = [("did", person.did.as_str())];
    let answers = [
        pds.query("com.atproto.sync.getRepoStatus", &did).await,
        pds.query("com.atproto.sync.getLatestCommit", &did).await,
        pds.query("com.atproto.sync.listBlobs", &did).await,
        pds.query("com.atproto.repo.describeRepo", &[("repo", &person.did)]).await,
        pds.query("com.atproto.repo.describeRepo", &[("repo", &person.handle)]).await,
        person.query("com.atproto.server.getSession", &[]).await,
        person.with_refresh("com.atproto.server.refreshSession", &person.refresh).await,
    ];
    answers.iter().map(|answer| (answer.error().0, answer.error().1.to_owned())).collect()
}

/// What somebody sees of an account that does not exist.
fn nothing() -> Vec<(u16, String)> {
    nothing_but("AccountNotFound")
}

/// The same when the access token has expired meanwhile.
fn nothing_later() -> Vec<(u16, String)> {
    nothing_but("ExpiredToken")
}

fn nothing_but(session: &str) -> Vec<(u16, String)> {
    let names = ["RepoNotFound", "RepoNotFound", "RepoNotFound", "RepoNotFound", "RepoNotFound", session];
    names.map(|name| (400, name.to_owned())).into_iter().chain([(400, "InvalidRequest".to_owned())]).collect()
}

on_both_mailed!(an_account_is_deleted_with_password_and_code, [], |pds, mail| async move {
    // AL-LIFE-1
    let (alice, to) = (mail.person(&pds, "alice").await, mail.address("alice"));
    let bob = mail.person(&pds, "bob").await;
    alice.post("hello").await;
    mail.nth(&pds, &to, 1).await;
    assert_eq!(alice.bare("com.atproto.server.requestAccountDelete").await.status, 200);
    let code = mail.nth(&pds, &to, 2).await.code();

    // A wrong password or code: nothing.
    assert_eq!(delete(&pds, &alice, "wrong", &code).await.error(), (401, "AuthenticationRequired"));
    assert_eq!(delete(&pds, &alice, "correct horse", "AAAAA-AAAAA").await.error(), (400, "InvalidToken"));
    assert_eq!(delete(&pds, &bob, "correct horse", &code).await.error(), (400, "InvalidToken"));
    let unknown = json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "password": "p", "token": code});
    assert_eq!(send(pds.post(DELETE).json(&unknown)).await.error(), (400, "InvalidRequest"));
    alice.post("still here").await;

    let mut firehose = pds.firehose(None).await;
    assert_eq!(delete(&pds, &alice, "correct horse", &code).await.status, 200);

    let event = firehose.next().await;
    assert_eq!(event.kind, "#account");
    let text = String::from_utf8_lossy(&event.bytes);
    assert!(text.contains(&alice.did) && text.contains("deleted"), "{text}");
    assert_eq!(sees(&pds, &alice).await, nothing());
    assert_eq!(sees(&pds.replica().await, &alice).await, nothing());
    let repos = pds.query("com.atproto.sync.listRepos", &[]).await.ok();
    assert_eq!(repos["repos"].as_array().unwrap().len(), 1);
    let log_in = json!({"identifier": alice.did, "password": "correct horse"});
    let refused = send(pds.post("com.atproto.server.createSession").json(&log_in)).await;
    assert_eq!(refused.error(), (401, "AuthenticationRequired"));
    assert_eq!(delete(&pds, &alice, "correct horse", &code).await.error(), (400, "InvalidRequest"));
    assert_eq!(mail.nth(&pds, &to, 3).await.subject, "Your account was deleted");

    // Handle and address are free.
    let again = mail.person(&pds, "alice").await;
    assert_ne!(again.did, alice.did);
});

on_both!(an_administrator_restores_within_the_grace_period, |pds| async move {
    // AL-LIFE-2
    let alice = pds.person("alice").await;
    let post = alice.post("hello").await;
    let code = pds.code(&alice, Purpose::DeleteAccount).await;
    assert_eq!(delete(&pds, &alice, "correct horse", &code).await.status, 200);
    pds.clock.forward(6 * DAY);
    purge(&pds).await;
    assert_eq!(sees(&pds, &alice).await, nothing_later());

    // Another account has the handle meanwhile.
    let other = pds.person_of(
        pds.sign_up(json!({
            "handle": "alice.pds.test", "email": "other@example.com", "password": "correct horse", "inviteCode": pds.invite(1).await,
        }))
        .await
        .ok(),
    );
    let mut firehose = pds.firehose(None).await;
    let restore = async |input: Value| pds.admin(RESTORE, input).await;
    assert_eq!(restore(json!({"account": alice.did})).await.error(), (400, "HandleNotAvailable"));
    assert_eq!(restore(json!({"account": other.did})).await.error(), (400, "NotFound"));
    assert_eq!(restore(json!({"account": "nobody.pds.test"})).await.error(), (400, "NotFound"));
    let restored = restore(json!({"account": "alice.pds.test", "handle": "alicia.pds.test"})).await.ok();
    assert_eq!(restored, json!({"did": alice.did, "handle": "alicia.pds.test", "lostEmail": false}));
    assert_eq!(restore(json!({"account": alice.did})).await.error(), (400, "NotFound"), "it is there already");
    let document = pds.query("com.atproto.identity.resolveDid", &[("did", &alice.did)]).await.ok();
    assert_eq!(document["didDoc"]["alsoKnownAs"], json!(["at://alicia.pds.test"]));

    let kinds = [firehose.next().await.kind, firehose.next().await.kind, firehose.next().await.kind];
    assert_eq!(kinds, ["#account", "#identity", "#sync"]);
    let log_in = json!({"identifier": "alice@example.com", "password": "correct horse"});
    let back = pds.person_of(send(pds.post("com.atproto.server.createSession").json(&log_in)).await.ok());
    assert_eq!((back.did.as_str(), back.handle.as_str()), (alice.did.as_str(), "alicia.pds.test"));
    let params = [("repo", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", post.as_str())];
    pds.query("com.atproto.repo.getRecord", &params).await.ok();
    back.post("back again").await;
    // Sessions of before stay dead.
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));
    other.post("mine").await;
    // The purge has nothing to do with it any more.
    pds.clock.forward(2 * DAY);
    purge(&pds).await;
    pds.query("com.atproto.repo.getRecord", &params).await.ok();
});

/// Everything that the database has about an account, by table.
async fn left(pds: &TestPds, id: AccountId, did: &str) -> Vec<String> {
    pds_store::account::leftovers(&pds.app.db, id, &did.parse().unwrap()).await.unwrap()
}

on_places!(a_purge_leaves_a_tombstone_alone, [], |pds, place| async move {
    // AL-LIFE-2, AL-LIFE-3, AL-JOB-6
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    for person in [&alice, &bob] {
        for n in 0..3 {
            let blob =
                person.upload(format!("{n} of {}", person.did).into_bytes(), "text/plain").await.ok()["blob"].clone();
            person.create("com.example.file", json!({"file": blob})).await.ok();
        }
        person.upload(format!("loose of {}", person.did).into_bytes(), "text/plain").await.ok();
    }
    let id = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap().id;
    assert!(!left(&pds, id, &alice.did).await.is_empty());
    let code = pds.code(&alice, Purpose::DeleteAccount).await;
    assert_eq!(delete(&pds, &alice, "correct horse", &code).await.status, 200);
    purge(&pds).await;
    assert_eq!(place.count(), 8, "within the grace period everything is there");

    pds.clock.forward(7 * DAY + Duration::from_secs(1));
    // Killed halfway: a portion is gone, the account is not.
    let mut tx = pds.app.db.begin().await.unwrap();
    account::purge_portion(&mut tx, id, pds.app.clock.now_us(), 2).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!left(&pds, id, &alice.did).await.is_empty());
    let restore = json!({"account": alice.did});
    assert_eq!(pds.admin(RESTORE, restore).await.error(), (400, "NotFound"), "a part of it is gone");
    // Two replicas at once, then once more.
    let two = pds.replica().await;
    two.clock.forward(8 * DAY);
    tokio::join!(purge(&pds), purge(&two));
    purge(&pds).await;

    assert_eq!(left(&pds, id, &alice.did).await, Vec::<String>::new());
    assert!(account::tombstone(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().is_some());
    // The loose blob of the other account was not used for a week.
    place.until(3).await;
    assert_eq!(sees(&pds, &alice).await, nothing_later());
    let files = pds.query("com.atproto.sync.listBlobs", &[("did", &bob.did)]).await.ok();
    assert_eq!(files["cids"].as_array().unwrap().len(), 3);
});

on_places!(
    without_a_grace_period_the_data_goes_at_once,
    [("PDS_ACCOUNT_DELETE_GRACE_MS", "0")],
    |pds, place| async move {
        let alice = pds.person("alice").await;
        let blob = alice.upload(b"bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
        alice.create("com.example.file", json!({"file": blob})).await.ok();
        let code = pds.code(&alice, Purpose::DeleteAccount).await;
        assert_eq!(delete(&pds, &alice, "correct horse", &code).await.status, 200);
        assert_eq!(sees(&pds, &alice).await, nothing());
        place.until(0).await;
        let did = alice.did.parse().unwrap();
        assert!(account::by_did(&pds.app.db, &did).await.unwrap().is_none());
        assert!(account::tombstone(&pds.app.db, &did).await.unwrap().is_some());
    }
);

on_both!(a_date_that_the_owner_set_is_honoured, |pds| async move {
    // AL-JOB-6
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let now = pds.app.clock.now_us();
    let tomorrow = now + i64::try_from(DAY.as_micros()).unwrap();
    for (person, deactivated) in [(&alice, true), (&bob, false)] {
        let account = account::by_did(&pds.app.db, &person.did.parse().unwrap()).await.unwrap().unwrap();
        let mut tx = pds.app.db.begin().await.unwrap();
        account::set_deactivated(&mut tx, account.id, Some(now), Some(tomorrow)).await.unwrap();
        if !deactivated {
            account::set_deactivated(&mut tx, account.id, None, None).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    purge(&pds).await;
    assert!(account::deleted(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().is_none());
    pds.clock.forward(DAY);
    let mut firehose = pds.firehose(None).await;
    purge(&pds).await;
    assert_eq!(firehose.next().await.kind, "#account");
    assert!(account::deleted(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().is_some());
    assert!(account::deleted(&pds.app.db, &bob.did.parse().unwrap()).await.unwrap().is_none());
});
