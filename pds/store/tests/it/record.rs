//! Reading records: one, a page, all in tree order, from one moment.

use pds_repo::Cid;
use pds_store::{
    AccountId, Snapshot,
    account::{self, Status},
    commit::{Put, RecordWrite},
    record::{self, Page, subject_hash},
    repo,
};
use pds_syntax::{AtIdentifier, Nsid, RepoPath, Tid};

use crate::harness::{Alice, Store, T0, cid, on_both, put, rkey};

on_both!(
    a_record_is_found_by_its_path,
    a_record_is_found_with_its_account_by_either_name,
    the_state_of_the_account_comes_with_what_was_found,
    a_collection_is_listed_from_either_end,
    a_page_ends_after_so_many_bytes_and_the_next_one_goes_on,
    collections_whose_names_begin_alike_stay_apart,
    at_most_five_thousand_collections_are_named,
    collections_are_named_once_each,
    entries_come_in_bytewise_order_of_the_whole_path,
    a_stream_can_begin_at_a_revision,
    a_snapshot_does_not_see_later_commits,
    bodies_come_whole_and_in_order_over_many_pages,
    of_long_records_about_a_subject_the_first_megabyte_is_found,
    records_about_a_subject_are_found,
    a_record_that_was_taken_down_is_hidden_and_still_there,
    what_was_written_after_a_revision_is_found_among_the_newest_keys,
);

fn nsid(text: &str) -> Nsid {
    text.parse().unwrap()
}

async fn with_records(store: &Store, paths: &[&str]) -> Alice {
    let mut alice = Alice::create(&store.db, "alice").await;
    let writes = paths.iter().map(|path| RecordWrite::Create(put(path, path))).collect();
    alice.write(&store.db, writes).await.unwrap();
    alice
}

async fn a_record_is_found_by_its_path(store: Store) {
    let alice = with_records(&store, &["a.b.post/1"]).await;
    let bob = Alice::create(&store.db, "bob").await;
    let path: RepoPath = "a.b.post/1".parse().unwrap();

    let found = record::get(&store.db, alice.id, &path).await.unwrap().unwrap();

    assert_eq!((&found.path, found.cid), (&path, cid("a.b.post/1")));
    assert_eq!(&found.body[..], b"a.b.post/1");
    assert_eq!(record::get(&store.db, bob.id, &path).await.unwrap(), None);
}

async fn a_record_is_found_with_its_account_by_either_name(store: Store) {
    let alice = with_records(&store, &["a.b.post/1"]).await;
    let (by_did, by_handle) = (AtIdentifier::Did(alice.did.clone()), AtIdentifier::Handle(alice.handle.clone()));
    let path: RepoPath = "a.b.post/1".parse().unwrap();

    for repo in [&by_did, &by_handle] {
        let of = record::find(&store.db, repo, &path, T0).await.unwrap().unwrap();
        let found = of.found.unwrap();
        assert_eq!(
            (of.did, of.status, &found.path, &found.body[..]),
            (alice.did.clone(), Status::Active, &path, &b"a.b.post/1"[..])
        );

        let of = record::find(&store.db, repo, &"a.b.post/2".parse().unwrap(), T0).await.unwrap().unwrap();
        assert_eq!((of.did, of.found), (alice.did.clone(), None), "no such record");

        let page = Page { cursor: None, limit: 10, ascending: true };
        let of = record::list(&store.db, repo, &nsid("a.b.none"), page, T0).await.unwrap().unwrap();
        assert_eq!((of.did, of.status, of.found), (alice.did.clone(), Status::Active, vec![]), "no such collection");
    }
    let nobody: AtIdentifier = "did:plc:nobody".parse().unwrap();
    assert_eq!(record::find(&store.db, &nobody, &path, T0).await.unwrap(), None);
    let page = Page { cursor: None, limit: 10, ascending: true };
    assert_eq!(record::list(&store.db, &nobody, &nsid("a.b.post"), page, T0).await.unwrap(), None);
}

async fn the_state_of_the_account_comes_with_what_was_found(store: Store) {
    let alice = with_records(&store, &["a.b.post/1"]).await;
    let repo = AtIdentifier::Did(alice.did.clone());
    let path: RepoPath = "a.b.post/1".parse().unwrap();
    let page = Page { cursor: None, limit: 10, ascending: false };
    let status = async || {
        let one = record::find(&store.db, &repo, &path, T0).await.unwrap().unwrap().status;
        let listed = record::list(&store.db, &repo, &nsid("a.b.post"), page, T0).await.unwrap().unwrap().status;
        assert_eq!(one, listed);
        one
    };
    assert_eq!(status().await, Status::Active);

    let mut tx = store.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, alice.id, Some(1), None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status().await, Status::Deactivated);

    let mut tx = store.db.begin().await.unwrap();
    account::set_takedown(&mut tx, alice.id, Some("decision")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status().await, Status::TakenDown);
}

async fn a_collection_is_listed_from_either_end(store: Store) {
    let alice = with_records(&store, &["a.b.post/1", "a.b.post/2", "a.b.post/3", "a.b.like/1", "a.b.zoo/1"]).await;
    let list = async |cursor: Option<&str>, limit, ascending| -> Vec<String> {
        let cursor = cursor.map(rkey);
        let page = Page { cursor: cursor.as_ref(), limit, ascending };
        let records = alice.list(&store.db, "a.b.post", page).await;
        records.into_iter().map(|record| record.path.rkey().to_owned()).collect()
    };

    assert_eq!(list(None, 2, false).await, ["3", "2"]);
    assert_eq!(list(Some("2"), 2, false).await, ["1"]);
    assert_eq!(list(None, 2, true).await, ["1", "2"]);
    assert_eq!(list(Some("2"), 2, true).await, ["3"]);
    assert_eq!(list(Some("1"), 2, false).await, Vec::<String>::new());
}

/// F1
async fn a_page_ends_after_so_many_bytes_and_the_next_one_goes_on(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let large = "x".repeat(400_000);
    let writes = (1..=7).map(|n| RecordWrite::Create(put(&format!("a.b.post/{n}"), &format!("{n}{large}")))).collect();
    alice.write(&store.db, writes).await.unwrap();
    for ascending in [true, false] {
        let (mut cursor, mut pages) = (None, Vec::new());
        loop {
            let page = Page { cursor: cursor.as_ref(), limit: 100, ascending };
            let records = alice.list(&store.db, "a.b.post", page).await;
            let Some(last) = records.last() else { break };
            cursor = Some(rkey(last.path.rkey()));
            pages.push(records.iter().map(|record| record.path.rkey().to_owned()).collect::<String>());
        }
        // A megabyte is full with the third.
        let expected = if ascending { ["123", "456", "7"] } else { ["765", "432", "1"] };
        assert_eq!(pages, expected);
    }
}

async fn collections_whose_names_begin_alike_stay_apart(store: Store) {
    let alice = with_records(&store, &["a.b.c/x", "a.b.c.d/x", "a.b.c-e.f/x", "a.b.cc/x"]).await;
    let page = Page { cursor: None, limit: 10, ascending: true };

    for collection in ["a.b.c", "a.b.c.d", "a.b.c-e.f", "a.b.cc"] {
        let records = alice.list(&store.db, collection, page).await;
        assert_eq!(records.len(), 1, "{collection}");
        assert_eq!(records[0].path.as_str(), format!("{collection}/x"));
    }
}

async fn collections_are_named_once_each(store: Store) {
    let alice = with_records(&store, &["a.b.c/1", "a.b.c/2", "a.b.c.d/1", "a.b.c.d/2", "a.b.zoo/1"]).await;
    let bob = Alice::create(&store.db, "bob").await;

    let names = record::collections(&store.db, alice.id).await.unwrap();

    assert_eq!(names, ["a.b.c.d", "a.b.c", "a.b.zoo"].map(nsid));
    assert_eq!(record::collections(&store.db, bob.id).await.unwrap(), []);
}

async fn at_most_five_thousand_collections_are_named(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let paths: Vec<_> = (0..5_001).map(|n| format!("a.b.c{n:05}/x")).collect();
    for some in paths.chunks(1_000) {
        let writes = some.iter().map(|path| RecordWrite::Create(put(path, "x")));
        alice.write(&store.db, writes.collect()).await.unwrap();
    }

    let names = record::collections(&store.db, alice.id).await.unwrap();

    assert_eq!((names.len(), &names[4_999]), (5_000, &nsid("a.b.c04999")));
}

/// `-` and `.` sort before `/`, and capitals before small letters: neither by collection first, nor as a language would.
async fn entries_come_in_bytewise_order_of_the_whole_path(store: Store) {
    let paths =
        ["a.b.c/x", "a.b.c/X", "a.b.c.d/x", "a.b.c-e.f/x", "a.b.c/_", "a.b.c/-", "a.b.c/~", "a.b.c/10", "a.b.c/9"];
    let alice = with_records(&store, &paths).await;

    let mut snapshot = store.db.snapshot().await.unwrap();
    let entries = snapshot.entries(alice.id, Vec::new()).await.unwrap();

    let mut expected = paths.map(|path| (path.into(), cid(path)));
    expected.sort();
    assert_eq!(entries, expected);
}

async fn a_stream_can_begin_at_a_revision(store: Store) {
    let mut alice = with_records(&store, &["a.b.post/1", "a.b.post/2"]).await;
    let since = alice.rev;
    let writes = vec![RecordWrite::Update(put("a.b.post/2", "new")), RecordWrite::Create(put("a.b.post/3", "new"))];
    alice.write(&store.db, writes).await.unwrap();

    let mut snapshot = store.db.snapshot().await.unwrap();
    let all = bodies(&mut snapshot, alice.id, None).await;
    let late = bodies(&mut snapshot, alice.id, Some(since)).await;

    let body = |body: &str| (cid(body), body.as_bytes().to_vec());
    assert_eq!(all, [body("a.b.post/1"), body("new"), body("new")]);
    assert_eq!(late, [body("new"), body("new")]);
}

async fn bodies(snapshot: &mut Snapshot, id: AccountId, since: Option<Tid>) -> Vec<(Cid, Vec<u8>)> {
    let (mut all, mut bodies) = (Vec::new(), snapshot.bodies(id, since));
    while let Some(page) = bodies.next().await.unwrap() {
        all.extend((0..).map_while(|at| page.get(at)).map(|(cid, body)| (cid, body.to_vec())));
    }
    all
}

/// More than fit into one page, and one that is larger than a page.
async fn bodies_come_whole_and_in_order_over_many_pages(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let body = |at: usize| format!("{at}").repeat(if at == 7 { 200_000 } else { 3_000 });
    let path = |at: usize| format!("a.b.post/{at:03}");
    let writes = (0..150).map(|at| RecordWrite::Create(put(&path(at), &body(at)))).collect();
    alice.write(&store.db, writes).await.unwrap();

    let mut snapshot = store.db.snapshot().await.unwrap();
    let all = bodies(&mut snapshot, alice.id, None).await;

    assert_eq!(all, (0..150).map(|at| (cid(&body(at)), body(at).into_bytes())).collect::<Vec<_>>());
}

async fn a_snapshot_does_not_see_later_commits(store: Store) {
    let mut alice = with_records(&store, &["a.b.post/1", "a.b.post/2"]).await;
    let mut snapshot = store.db.snapshot().await.unwrap();
    let head = snapshot.root(alice.id).await.unwrap();

    let writes = vec![
        RecordWrite::Delete { path: "a.b.post/1".parse().unwrap() },
        RecordWrite::Update(put("a.b.post/2", "new")),
    ];
    alice.write(&store.db, writes).await.unwrap();

    let seen = bodies(&mut snapshot, alice.id, None).await;
    assert_eq!(seen.iter().map(|(cid, _)| *cid).collect::<Vec<_>>(), [cid("a.b.post/1"), cid("a.b.post/2")]);
    assert_eq!(snapshot.root(alice.id).await.unwrap(), head);
    assert_ne!(repo::root(&store.db, alice.id).await.unwrap(), head);
}

async fn records_about_a_subject_are_found(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let about = |path: &str, subject: &str| Put { subject_hash: Some(subject_hash(subject)), ..put(path, path) };
    let writes = ["a.b.like/1", "a.b.like/2", "a.b.repost/1"].map(|path| RecordWrite::Create(about(path, "at://x")));
    alice.write(&store.db, writes.to_vec()).await.unwrap();
    alice.write(&store.db, vec![RecordWrite::Create(about("a.b.like/3", "at://y"))]).await.unwrap();
    let find = async |subject: &str| -> Vec<String> {
        let records =
            record::same_subject(&store.db, alice.id, &nsid("a.b.like"), subject_hash(subject)).await.unwrap();
        records.into_iter().map(|record| record.path.as_str().to_owned()).collect()
    };

    assert_eq!(find("at://x").await, ["a.b.like/1", "a.b.like/2"]);
    assert_eq!(find("at://y").await, ["a.b.like/3"]);
    assert_eq!(find("at://z").await, Vec::<String>::new());
    let mut writer = alice.clone();
    writer.write(&store.db, vec![RecordWrite::Delete { path: "a.b.like/1".parse().unwrap() }]).await.unwrap();
    assert_eq!(find("at://x").await, ["a.b.like/2"]);
}

/// One commit reads about a megabyte of records that it may replace, however many and long they are.
async fn of_long_records_about_a_subject_the_first_megabyte_is_found(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    for n in 1..=4 {
        let path = format!("a.b.like/{n}");
        let long =
            Put { body: vec![n; 600_000].into(), subject_hash: Some(subject_hash("at://x")), ..put(&path, &path) };
        alice.write(&store.db, vec![RecordWrite::Create(long)]).await.unwrap();
    }

    let found = record::same_subject(&store.db, alice.id, &nsid("a.b.like"), subject_hash("at://x")).await.unwrap();

    let paths: Vec<_> = found.iter().map(|record| record.path.as_str()).collect();
    assert_eq!(paths, ["a.b.like/1", "a.b.like/2"]);
    assert_eq!(found[1].body.len(), 600_000);
}

#[test]
fn subject_hashes_are_stored_and_must_never_change() {
    // The first 8 bytes of SHA-256("abc").
    assert_eq!(subject_hash("abc"), i64::from_be_bytes([0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]));
}

/// AL-MOD-3
async fn a_record_that_was_taken_down_is_hidden_and_still_there(store: Store) {
    let mut alice = with_records(&store, &["a.b.post/1", "a.b.post/2"]).await;
    let path: RepoPath = "a.b.post/1".parse().unwrap();
    let page = Page { cursor: None, limit: 10, ascending: true };
    let set = async |path: &RepoPath, reference| {
        let mut tx = store.begin().await;
        let found = record::set_takedown(&mut tx, alice.id, path, reference).await.unwrap();
        tx.commit().await.unwrap();
        found
    };
    assert!(set(&path, Some("case 1")).await);
    assert!(!set(&"a.b.post/none".parse().unwrap(), Some("case 1")).await);

    assert_eq!(record::visible(&store.db, alice.id, &path).await.unwrap(), None);
    for ascending in [true, false] {
        let page = Page { ascending, ..page };
        let listed = alice.list(&store.db, "a.b.post", page).await;
        assert_eq!(listed.iter().map(|record| record.path.rkey()).collect::<Vec<_>>(), ["2"]);
    }
    assert!(record::get(&store.db, alice.id, &path).await.unwrap().is_some());
    let takedown = record::takedown(&store.db, alice.id, &path).await.unwrap();
    assert_eq!(takedown, Some((cid("a.b.post/1"), Some("case 1".to_owned()))));

    // Its owner does not bring it back with an update, only the host does.
    alice.write(&store.db, vec![RecordWrite::Update(put("a.b.post/1", "new"))]).await.unwrap();
    assert_eq!(record::visible(&store.db, alice.id, &path).await.unwrap(), None);
    let mut tx = store.begin().await;
    assert!(record::set_takedown(&mut tx, alice.id, &path, None).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(record::visible(&store.db, alice.id, &path).await.unwrap().unwrap().cid, cid("new"));
}

async fn what_was_written_after_a_revision_is_found_among_the_newest_keys(store: Store) {
    let mut alice = with_records(&store, &["a.b.post/1", "a.b.post/2", "a.b.like/1"]).await;
    let before = alice.rev;
    assert_eq!(repo::rev(&store.db, alice.id).await.unwrap(), Some(before));
    for writes in [
        vec![RecordWrite::Create(put("a.b.post/4", "four"))],
        vec![RecordWrite::Create(put("a.b.post/3", "three")), RecordWrite::Create(put("a.b.like/2", "like"))],
    ] {
        alice.write(&store.db, writes).await.unwrap();
    }
    let within = async |rev, limit, bytes| -> Vec<String> {
        let found = record::written_since(&store.db, alice.id, &nsid("a.b.post"), rev, limit, bytes).await.unwrap();
        found.into_iter().map(|found| found.record.path.rkey().to_owned()).collect()
    };
    let since = async |rev, limit| within(rev, limit, 1000).await;

    assert_eq!(since(before, 10).await, ["4", "3"], "in the order of revisions");
    assert_eq!(since(before, 1).await, ["4"]);
    assert_eq!(within(before, 10, "four".len()).await, ["4"], "a longer one is not even read");
    assert_eq!(since(alice.rev, 10).await, Vec::<String>::new());
    assert!(record::is_any_older(&store.db, alice.id, before).await.unwrap());
    assert!(!record::is_any_older(&store.db, alice.id, Tid::from_micros(0, 0)).await.unwrap());
    let mut tx = store.begin().await;
    record::set_takedown(&mut tx, alice.id, &"a.b.post/4".parse().unwrap(), Some("ref")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(since(before, 10).await, ["3"]);
    assert!(repo::key(&store.db, alice.id).await.unwrap().is_some());
}
