//! `dev.auroralocus.admin.suspendAccount` and `unsuspendAccount` (AL-ACC-5, AL-MOD-2), and the job `suspension_cleanup` (AL-JOB-2).

use std::time::Duration;

use jiff::Timestamp;
use pds_server::job::suspensions;
use serde_json::{Value, json};

use super::writers;
use crate::{
    harness::{Answer, Event, Firehose, Person, TestPds, send},
    on_both,
};

const SUSPEND: &str = "dev.auroralocus.admin.suspendAccount";
const UNSUSPEND: &str = "dev.auroralocus.admin.unsuspendAccount";
const HOUR: Duration = Duration::from_secs(3600);

/// Suspends an account for an hour, and returns the end.
async fn suspend(pds: &TestPds, person: &Person) -> String {
    let until = (Timestamp::now() + HOUR).to_string();
    let input = json!({"did": person.did, "until": until, "reason": "spam"});
    let answer = pds.admin(SUSPEND, input).await.ok();
    assert_eq!(answer["did"], json!(person.did));
    answer["until"].as_str().unwrap().to_owned()
}

async fn set(pds: &TestPds, person: &Person, state: &str, applied: bool) {
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": person.did});
    let input = json!({"subject": subject, state: {"applied": applied}});
    pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
}

async fn status(pds: &TestPds, did: &str) -> Value {
    pds.query("com.atproto.sync.getRepoStatus", &[("did", did)]).await.ok()["status"].clone()
}

async fn kinds(firehose: &mut Firehose, count: usize) -> Vec<String> {
    firehose.take(count).await.into_iter().map(|event: Event| event.kind).collect()
}

/// What others read of an account.
async fn reads(pds: &TestPds, person: &Person, rkey: &str, cid: &str) -> Vec<Answer> {
    let did = person.did.as_str();
    let record = [("repo", did), ("collection", "app.bsky.feed.post"), ("rkey", rkey)];
    let proof = [("did", did), ("collection", "app.bsky.feed.post"), ("rkey", rkey)];
    let of = async |method: &str| pds.query(method, &[("did", did)]).await;
    vec![
        pds.query("com.atproto.repo.getRecord", &record).await,
        pds.query("com.atproto.repo.listRecords", &record[..2]).await,
        pds.query("com.atproto.identity.resolveHandle", &[("handle", &person.handle)]).await,
        pds.query("com.atproto.repo.describeRepo", &record[..1]).await,
        of("com.atproto.sync.getRepo").await,
        of("com.atproto.sync.getLatestCommit").await,
        of("com.atproto.sync.getHead").await,
        of("com.atproto.sync.listBlobs").await,
        pds.query("com.atproto.sync.getBlob", &[("did", did), ("cid", cid)]).await,
        pds.query("com.atproto.sync.getRecord", &proof).await,
    ]
}

/// Reads that name the reason, in the order of [`reads`].
const NAMED: usize = 7;

async fn post_with_file(person: &Person) -> (String, String) {
    let blob = person.upload(b"picture".to_vec(), "text/plain").await.ok()["blob"].clone();
    person.create("com.example.file", json!({"file": blob})).await.ok();
    (person.post("hello").await, blob["ref"]["$link"].as_str().unwrap().to_owned())
}

on_both!(a_suspended_account_is_hidden_and_writes_nothing_on_any_replica, |pds| async move {
    let other = pds.replica().await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let there = alice.at(&other.url);
    let (rkey, cid) = post_with_file(&alice).await;
    let car = alice.car().await;
    let mut firehose = pds.firehose(None).await;
    let until = suspend(&pds, &alice).await;

    for replica in [&pds, &other] {
        let answers = reads(replica, &alice, &rkey, &cid).await;
        assert!(answers.iter().all(|answer| answer.status == 400), "{answers:?}");
        let named: Vec<_> = answers.iter().rev().take(NAMED).rev().map(|answer| answer.error()).collect();
        assert_eq!(named, [(400, "RepoSuspended"); NAMED], "{answers:?}");
        assert_eq!(status(replica, &alice.did).await, "suspended");
    }
    let listed = other.query("com.atproto.sync.listRepos", &[]).await.ok();
    let hers = listed["repos"].as_array().unwrap().iter().find(|repo| repo["did"] == json!(alice.did)).unwrap().clone();
    assert_eq!((&hers["active"], &hers["status"]), (&json!(false), &json!("suspended")));

    // No records, no blobs, no repository; the answer says until when, and not why.
    let record = json!({"text": "x", "createdAt": "2026-01-01T00:00:00.000Z"});
    let writes =
        json!([{"$type": "com.atproto.repo.applyWrites#delete", "collection": "app.bsky.feed.post", "rkey": rkey}]);
    let import = pds.post("com.atproto.repo.importRepo").bearer_auth(&alice.access);
    for answer in [
        there.create("app.bsky.feed.post", record).await,
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await,
        alice
            .call(
                "com.atproto.repo.deleteRecord",
                json!({"repo": alice.did, "collection": "app.bsky.feed.post", "rkey": rkey}),
            )
            .await,
        alice.upload(b"more".to_vec(), "text/plain").await,
        send(import.header("content-type", "application/vnd.ipld.car").body(car)).await,
    ] {
        assert_eq!(answer.error(), (403, "AccountSuspended"), "{answer:?}");
        assert_eq!(answer.body["message"], json!(format!("Account is suspended until {until}")));
    }

    // Its owner signs in, refreshes, reads and exports.
    let session = pds.log_in("alice.pds.test", "correct horse").await.ok();
    assert_eq!((&session["active"], &session["status"]), (&json!(false), &json!("suspended")));
    assert!(!session.to_string().contains("spam"));
    let again = pds.person_of(session);
    let refreshed = again.with_refresh("com.atproto.server.refreshSession", &again.refresh).await.ok();
    assert_eq!(refreshed["status"], "suspended");
    let shown = there.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&shown["active"], &shown["status"]), (&json!(false), &json!("suspended")));
    let checked = alice.query("com.atproto.server.checkAccountStatus", &[]).await.ok();
    assert_eq!(checked["activated"], false);
    for (method, params) in [
        ("com.atproto.sync.getRepo", vec![("did", alice.did.as_str())]),
        ("com.atproto.sync.getBlob", vec![("did", alice.did.as_str()), ("cid", cid.as_str())]),
    ] {
        assert!(there.query(method, &params).await.status.is_success(), "{method}");
    }

    bob.post("unharmed").await;
    pds.admin(UNSUSPEND, json!({"did": alice.did})).await.ok();
    assert!(reads(&other, &alice, &rkey, &cid).await.iter().all(|answer| answer.status == 200));
    there.post("back").await;
    let expected = ["#account", "#commit", "#account", "#identity", "#sync", "#commit"];
    assert_eq!(kinds(&mut firehose, expected.len()).await, expected);
});

on_both!(a_suspension_is_over_at_its_time_and_announced_before_the_next_commit, |pds| async move {
    let other = pds.replica().await;
    let alice = pds.person("alice").await;
    let there = alice.at(&other.url);
    let (rkey, cid) = post_with_file(&alice).await;
    suspend(&pds, &alice).await;
    let mut firehose = pds.firehose(None).await;
    for replica in [&pds, &other] {
        replica.clock.forward(HOUR - Duration::from_secs(60));
    }
    assert_eq!(there.create("com.example.thing", json!({})).await.error(), (403, "AccountSuspended"));
    for replica in [&pds, &other] {
        replica.clock.forward(Duration::from_secs(90));
        assert!(reads(replica, &alice, &rkey, &cid).await.iter().all(|answer| answer.status == 200));
        assert_eq!(status(replica, &alice.did).await, Value::Null);
    }
    let info = pds.admin_query("dev.auroralocus.admin.getAccount", &[("did", &alice.did)]).await.ok();
    assert_eq!((&info["active"], info.get("suspension")), (&json!(true), None));
    // Many writes at once on both replicas: one of them ends it, before the first commit.
    let writes = (0..8).map(|n| {
        let writer = if n % 2 == 0 { alice.clone() } else { there.clone() };
        tokio::spawn(async move { writer.create("com.example.thing", json!({})).await.ok() })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let mut expected = vec!["#account", "#identity", "#sync"];
    expected.extend(["#commit"; 8]);
    assert_eq!(kinds(&mut firehose, expected.len()).await, expected);
});

on_both!(the_job_ends_suspensions_that_are_over_once_over_all_replicas, |pds| async move {
    let (alice, bob, carol) = (pds.person("alice").await, pds.person("bob").await, pds.person("carol").await);
    suspend(&pds, &alice).await;
    suspend(&pds, &bob).await;
    set(&pds, &bob, "deactivated", true).await;
    let later = (Timestamp::now() + 3 * HOUR).to_string();
    pds.admin(SUSPEND, json!({"did": carol.did, "until": later})).await.ok();
    let mut firehose = pds.firehose(None).await;
    let (db, now) = (pds.app.db.clone(), pds.app.clock.now_us());
    suspensions::end(db.clone(), now).await.unwrap();
    let after = now + 3_660 * 1_000_000;
    let runs = (0..4).map(|_| tokio::spawn(suspensions::end(db.clone(), after))).collect::<Vec<_>>();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    assert_eq!((status(&pds, &alice.did).await, status(&pds, &bob.did).await), (Value::Null, json!("deactivated")));
    assert_eq!(status(&pds, &carol.did).await, "suspended");
    alice.post("back").await;
    let mut seen = kinds(&mut firehose, 5).await;
    seen[..4].sort();
    assert_eq!(seen, ["#account", "#account", "#identity", "#sync", "#commit"]);
});

on_both!(the_strongest_cause_of_an_accounts_state_shows, |pds| async move {
    // AL-ACC-5: deleted > takendown > suspended > deactivated
    let alice = pds.person("alice").await;
    let mut firehose = pds.firehose(None).await;
    set(&pds, &alice, "deactivated", true).await;
    assert_eq!(status(&pds, &alice.did).await, "deactivated");
    suspend(&pds, &alice).await;
    assert_eq!(status(&pds, &alice.did).await, "suspended");
    // Another end is no other state.
    suspend(&pds, &alice).await;
    set(&pds, &alice, "takedown", true).await;
    assert_eq!(status(&pds, &alice.did).await, "takendown");
    // Behind the takedown nothing is seen to change.
    pds.admin(UNSUSPEND, json!({"did": alice.did})).await.ok();
    suspend(&pds, &alice).await;
    set(&pds, &alice, "takedown", false).await;
    assert_eq!(status(&pds, &alice.did).await, "suspended");
    set(&pds, &alice, "deactivated", false).await;
    assert_eq!(status(&pds, &alice.did).await, "suspended");
    set(&pds, &alice, "deactivated", true).await;
    pds.admin(UNSUSPEND, json!({"did": alice.did})).await.ok();
    assert_eq!(status(&pds, &alice.did).await, "deactivated");
    suspend(&pds, &alice).await;
    pds.admin("com.atproto.admin.deleteAccount", json!({"did": alice.did})).await.ok();
    assert_eq!(kinds(&mut firehose, 7).await, ["#account"; 7]);
    let gone = json!({"did": alice.did});
    assert_eq!(pds.admin(UNSUSPEND, gone).await.error(), (400, "NotFound"));
});

on_both!(nothing_is_committed_after_a_suspension_on_any_replica, |one| async move {
    // F4
    let two = one.replica().await;
    let alice = one.person("alice").await;
    let there = alice.at(&two.url);
    let mut firehose = one.firehose(None).await;
    let writers = writers(&there);
    while firehose.next().await.kind != "#commit" {}
    suspend(&one, &alice).await;
    for writer in writers {
        assert_eq!(writer.await.unwrap().error(), (403, "AccountSuspended"));
    }
    one.admin(UNSUSPEND, json!({"did": alice.did})).await.ok();
    while firehose.next().await.kind != "#account" {}
    assert_eq!(kinds(&mut firehose, 3).await, ["#account", "#identity", "#sync"], "nothing between the two");
});

on_both!(suspensions_of_nobody_and_into_the_past_are_refused, |pds| async move {
    let alice = pds.person("alice").await;
    let nobody = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let later = (Timestamp::now() + HOUR).to_string();
    assert_eq!(pds.admin(SUSPEND, json!({"did": nobody, "until": later})).await.error(), (400, "NotFound"));
    let past = json!({"did": alice.did, "until": "2020-01-01T00:00:00.000Z"});
    let refused = pds.admin(SUSPEND, past).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert_eq!(refused.body["message"], "Input/until must be in the future (got \"2020-01-01T00:00:00.000Z\")");
    for input in [
        json!({"did": alice.did}),
        json!({"did": alice.did, "until": "tomorrow"}),
        json!({"did": "alice", "until": later}),
        json!({"did": alice.did, "until": later, "reason": "x".repeat(2_001)}),
    ] {
        assert_eq!(pds.admin(SUSPEND, input).await.error(), (400, "InvalidRequest"));
    }
    assert_eq!(status(&pds, &alice.did).await, Value::Null);
});
