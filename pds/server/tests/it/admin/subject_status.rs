//! `com.atproto.admin.updateSubjectStatus` and `getSubjectStatus`: takedowns (AL-MOD-3) and what is announced of them (AL-ACC-5).

use serde_json::{Value, json};

use super::writers;
use crate::{
    harness::{ADMIN_PASSWORD, Answer, Person, TestPds, send},
    on_both, on_places,
};

const UPDATE: &str = "com.atproto.admin.updateSubjectStatus";

fn account(did: &str) -> Value {
    json!({"$type": "com.atproto.admin.defs#repoRef", "did": did})
}

fn blob_of(did: &str, cid: &str) -> Value {
    json!({"$type": "com.atproto.admin.defs#repoBlobRef", "did": did, "cid": cid})
}

async fn takedown(pds: &TestPds, subject: &Value, applied: bool) -> Answer {
    pds.admin(UPDATE, json!({"subject": subject, "takedown": {"applied": applied, "ref": "case 7"}})).await
}

async fn status(pds: &TestPds, params: &[(&str, &str)]) -> Answer {
    let request = pds.get("com.atproto.admin.getSubjectStatus").query(params);
    send(request.basic_auth("admin", Some(ADMIN_PASSWORD))).await
}

async fn get_blob(pds: &TestPds, did: &str, cid: &str) -> Answer {
    pds.query("com.atproto.sync.getBlob", &[("did", did), ("cid", cid)]).await
}

/// A file and the record that refers to it.
async fn file(alice: &Person, text: &str) -> Value {
    let blob = alice.upload(text.into(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    blob
}

on_places!(a_blob_that_was_taken_down_is_gone_until_it_is_given_back, [], |pds, place| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let blob = file(&alice, "bad picture").await;
    let cid = blob["ref"]["$link"].as_str().unwrap();
    let replica_sees = get_blob(&pds, &alice.did, cid).await;
    assert_eq!(replica_sees.ok(), "bad picture");
    let subject = blob_of(&alice.did, cid);
    let params = [("did", alice.did.as_str()), ("blob", cid)];
    assert_eq!(status(&pds, &params).await.ok()["takedown"], json!({"applied": false}));

    let answer = takedown(&pds, &subject, true).await.ok();
    assert_eq!((&answer["subject"], &answer["takedown"]["applied"]), (&subject, &json!(true)));
    let said = status(&pds, &params).await.ok();
    assert_eq!((&said["subject"], &said["takedown"]), (&subject, &json!({"applied": true, "ref": "case 7"})));

    // Nobody reads it, its owner included; it is neither uploaded again nor referred to. Others' uploads are theirs.
    assert_eq!(get_blob(&pds, &alice.did, cid).await.error(), (400, "BlobNotFound"));
    assert_eq!(alice.query("com.atproto.sync.getBlob", &[("did", &alice.did), ("cid", cid)]).await.error().0, 400);
    assert_eq!(alice.upload(b"bad picture".to_vec(), "text/plain").await.error(), (400, "BlobTakedown"));
    assert_eq!(alice.create("com.example.file", json!({"file": blob})).await.error(), (400, "BlobNotFound"));
    bob.upload(b"bad picture".to_vec(), "text/plain").await.ok();
    place.until(2).await;

    takedown(&pds, &subject, false).await.ok();
    assert_eq!(status(&pds, &params).await.ok()["takedown"], json!({"applied": false}));
    assert_eq!(get_blob(&pds, &alice.did, cid).await.ok(), "bad picture");
    alice.upload(b"bad picture".to_vec(), "text/plain").await.ok();
});

on_both!(a_takedown_is_seen_by_every_replica_at_once, |pds| async move {
    let other = pds.replica().await;
    let alice = pds.person("alice").await;
    let blob = file(&alice, "bad").await;
    let cid = blob["ref"]["$link"].as_str().unwrap();
    get_blob(&other, &alice.did, cid).await.ok();
    takedown(&pds, &blob_of(&alice.did, cid), true).await.ok();
    assert_eq!(get_blob(&other, &alice.did, cid).await.error(), (400, "BlobNotFound"));
});

on_both!(a_record_that_was_taken_down_is_hidden_but_stays_in_its_repository, |pds| async move {
    let alice = pds.person("alice").await;
    let (hidden, shown) = (alice.post("bad").await, alice.post("good").await);
    let get = |rkey: &str| {
        let params = [("repo", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", rkey)];
        let request = pds.get("com.atproto.repo.getRecord").query(&params);
        send(request)
    };
    let record = get(&hidden).await.ok();
    let (uri, cid) = (record["uri"].as_str().unwrap(), record["cid"].as_str().unwrap());
    let subject = json!({"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": cid});
    takedown(&pds, &subject, true).await.ok();

    assert_eq!(get(&hidden).await.error(), (400, "RecordNotFound"));
    let page = [("repo", alice.did.as_str()), ("collection", "app.bsky.feed.post")];
    let listed = pds.query("com.atproto.repo.listRecords", &page).await.ok();
    let uris: Vec<&str> = listed["records"].as_array().unwrap().iter().map(|r| r["uri"].as_str().unwrap()).collect();
    assert!(uris.len() == 1 && uris[0].ends_with(&shown), "{uris:?}");
    let params = [("did", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", &hidden)];
    assert!(pds.get("com.atproto.sync.getRecord").query(&params).send().await.unwrap().status().is_success());
    let said = status(&pds, &[("uri", uri)]).await.ok();
    assert_eq!((&said["subject"], &said["takedown"]), (&subject, &json!({"applied": true, "ref": "case 7"})));

    takedown(&pds, &subject, false).await.ok();
    get(&hidden).await.ok();
});

on_both!(an_account_that_was_taken_down_may_leave_but_not_stay, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = file(&alice, "picture").await;
    let mut firehose = pds.firehose(None).await;
    takedown(&pds, &account(&alice.did), true).await.ok();
    // Saying it again changes nothing, and announces nothing.
    takedown(&pds, &account(&alice.did), true).await.ok();

    let repo = [("did", alice.did.as_str())];
    assert_eq!(pds.query("com.atproto.sync.getRepoStatus", &repo).await.ok()["status"], "takendown");
    assert_eq!(pds.query("com.atproto.sync.getRepo", &repo).await.error(), (400, "RepoTakendown"));
    let cid = blob["ref"]["$link"].as_str().unwrap();
    assert_eq!(get_blob(&pds, &alice.did, cid).await.error(), (400, "RepoTakendown"));
    assert_eq!(alice.create("com.example.thing", json!({})).await.error(), (401, "AccountTakedown"));
    assert!(!alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.status.is_success());
    assert!(alice.query("com.atproto.sync.getRepo", &repo).await.status.is_success());
    let login = json!({"identifier": alice.did, "password": "correct horse", "allowTakendown": true});
    let again = send(pds.post("com.atproto.server.createSession").json(&login)).await.ok();
    let leaving = pds.person_of(again);
    assert!(leaving.query("com.atproto.sync.getRepo", &repo).await.status.is_success());
    assert_eq!(leaving.create("com.example.thing", json!({})).await.error(), (400, "InvalidToken"));
    let said = status(&pds, &repo).await.ok();
    assert_eq!(said["takedown"], json!({"applied": true, "ref": "case 7"}));
    assert_eq!(said["deactivated"], json!({"applied": false}));

    takedown(&pds, &account(&alice.did), false).await.ok();
    assert_eq!(pds.query("com.atproto.sync.getRepoStatus", &repo).await.ok()["active"], true);
    get_blob(&pds, &alice.did, cid).await.ok();
    alice.post("back").await;
    let kinds: Vec<String> = firehose.take(3).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["#account", "#account", "#commit"]);
});

on_both!(the_strongest_cause_of_an_accounts_state_shows, |pds| async move {
    // AL-ACC-5
    let alice = pds.person("alice").await;
    let mut firehose = pds.firehose(None).await;
    let set = |input: Value| {
        let mut input = input;
        input["subject"] = account(&alice.did);
        pds.admin(UPDATE, input)
    };
    let shown =
        async || pds.query("com.atproto.sync.getRepoStatus", &[("did", &alice.did)]).await.ok()["status"].clone();
    set(json!({"deactivated": {"applied": true}})).await.ok();
    assert_eq!(shown().await, "deactivated");
    set(json!({"takedown": {"applied": true}})).await.ok();
    assert_eq!(shown().await, "takendown");
    // Behind the takedown nothing is seen to change.
    set(json!({"deactivated": {"applied": false}})).await.ok();
    set(json!({"deactivated": {"applied": true}})).await.ok();
    set(json!({"takedown": {"applied": false}})).await.ok();
    assert_eq!(shown().await, "deactivated");
    set(json!({"deactivated": {"applied": false}})).await.ok();
    assert_eq!(shown().await, Value::Null);
    let kinds: Vec<String> = firehose.take(6).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["#account", "#account", "#account", "#account", "#identity", "#sync"]);

    let both = json!({"takedown": {"applied": true}, "deactivated": {"applied": false}});
    assert_eq!(set(both).await.error(), (400, "InvalidRequest"));
});

on_both!(subjects_that_are_not_there_are_not_found, |pds| async move {
    let alice = pds.person("alice").await;
    let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    let nobody = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let uri = format!("at://{}/com.example.thing/none", alice.did);
    for subject in [
        account(nobody),
        blob_of(nobody, cid),
        blob_of(&alice.did, cid),
        json!({"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": cid}),
    ] {
        assert_eq!(takedown(&pds, &subject, true).await.error(), (400, "NotFound"), "{subject}");
    }
    for params in [vec![("did", nobody)], vec![("uri", &*uri)], vec![("did", &*alice.did), ("blob", cid)]] {
        assert_eq!(status(&pds, &params).await.error(), (400, "NotFound"), "{params:?}");
    }
    for params in [vec![], vec![("blob", cid)]] {
        assert_eq!(status(&pds, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
    let unknown = json!({"$type": "chat.bsky.convo.defs#messageRef", "did": alice.did});
    assert_eq!(takedown(&pds, &unknown, true).await.error(), (400, "InvalidRequest"));
    let of_blob = json!({"subject": blob_of(&alice.did, cid), "deactivated": {"applied": true}});
    assert_eq!(pds.admin(UPDATE, of_blob).await.error(), (400, "InvalidRequest"));

    // Only the administrator.
    let input = json!({"subject": account(&alice.did), "takedown": {"applied": true}});
    assert_eq!(alice.call(UPDATE, input.clone()).await.error(), (401, "UntrustedIss"));
    assert_eq!(send(pds.post(UPDATE).json(&input)).await.error(), (401, "AuthenticationRequired"));
    let asked = pds.get("com.atproto.admin.getSubjectStatus").query(&[("did", &alice.did)]);
    assert_eq!(send(asked).await.error(), (401, "AuthenticationRequired"));
});

on_both!(nothing_is_written_or_read_after_a_takedown_on_any_replica, |one| async move {
    // AL-MOD-1
    // F4
    let two = one.replica().await;
    let alice = one.person("alice").await;
    let there = alice.at(&two.url);
    let blob = file(&alice, "picture").await;
    let cid = blob["ref"]["$link"].as_str().unwrap().to_owned();
    let rkey = alice.post("hello").await;
    let repo = [("did", alice.did.as_str())];
    let reads = async || {
        let record = [("repo", &*alice.did), ("collection", "app.bsky.feed.post"), ("rkey", &*rkey)];
        let proof = [("did", &*alice.did), ("collection", "app.bsky.feed.post"), ("rkey", &*rkey)];
        [
            two.query("com.atproto.repo.getRecord", &record).await,
            two.query("com.atproto.repo.listRecords", &record[..2]).await,
            two.query("com.atproto.repo.describeRepo", &record[..1]).await,
            two.query("com.atproto.sync.getLatestCommit", &repo).await,
            two.query("com.atproto.sync.listBlobs", &repo).await,
            get_blob(&two, &alice.did, &cid).await,
            send(two.get("com.atproto.sync.getRecord").query(&proof)).await,
            send(two.get("com.atproto.sync.getRepo").query(&repo)).await,
        ]
    };
    assert!(reads().await.iter().all(|answer| answer.status == 200));
    for (state, name) in [("deactivated", "AccountDeactivated"), ("takedown", "AccountTakedown")] {
        let mut firehose = one.firehose(None).await;
        let set =
            |applied: bool| one.admin(UPDATE, json!({"subject": account(&alice.did), state: {"applied": applied}}));
        let writers = writers(&there);
        while firehose.next().await.seq < 20 {}
        set(true).await.ok();
        let answers = reads().await;
        assert!(answers.iter().all(|answer| answer.status == 400), "{answers:?}");
        let status = two.query("com.atproto.sync.getRepoStatus", &repo).await.ok();
        assert_eq!(status["active"], false);
        for writer in writers {
            assert_eq!(writer.await.unwrap().error(), (401, name));
        }
        set(false).await.ok();
        let kinds: Vec<String> = {
            let mut kinds = Vec::new();
            while kinds.iter().filter(|kind| *kind == "#account").count() < 2 {
                kinds.push(firehose.next().await.kind);
            }
            kinds
        };
        let first = kinds.iter().position(|kind| kind == "#account").unwrap();
        assert_eq!(kinds.len(), first + 2, "nothing between the two: {kinds:?}");
        there.post("back").await;
        assert!(reads().await.iter().all(|answer| answer.status == 200));
    }
});
