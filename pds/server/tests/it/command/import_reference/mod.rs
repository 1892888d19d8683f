//! `pds import-reference`, with directories that the test furnishes. `e2e/adoption` does the same with the reference implementation itself.

mod bucket;

use std::{
    collections::BTreeSet,
    fs,
    process::Output,
    time::{Duration, Instant},
};

use pds_repo::car;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{self, Pds, run},
};
use crate::harness::{Answer, Database, Firehose, Reference, Resident, reference, send};

/// A target: its folder, its database and its settings.
struct Target {
    folder: tempfile::TempDir,
    database: Database,
    /// The directory that a login asks for the identity.
    plc: String,
}

impl Target {
    fn new(database: Database) -> Self {
        let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
        Self { folder: tempfile::tempdir().unwrap(), database, plc }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        let own = [
            ("PDS_DATABASE_URL", self.database.url.as_str()),
            ("PDS_BLOBSTORE_DISK_LOCATION", "blobs"),
            ("PDS_HOSTNAME", "old.example.com"),
            ("PDS_DID_PLC_URL", &self.plc),
            ("PDS_BSKY_APP_VIEW_URL", "https://appview.invalid"),
            ("PDS_BSKY_APP_VIEW_DID", "did:web:appview.invalid"),
        ];
        [&own[..], &SECRETS].concat()
    }

    fn import(&self, reference: &Reference, more: &[&str]) -> (Option<i32>, String) {
        let output =
            run(self.folder.path(), &[&["import-reference", reference.path()], more].concat(), &self.settings());
        said(&output)
    }

    async fn serve(&self) -> Pds {
        Pds::start(self.folder.path(), &self.settings()).await
    }

    fn migrate(&self) {
        assert!(run(self.folder.path(), &["migrate"], &self.settings()).status.success());
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A directory of a host with the keys of [`SECRETS`].
fn directory() -> Reference {
    Reference::new("old.example.com", SECRETS[2].1, SECRETS[0].1)
}

async fn get(pds: &Pds, path: &str) -> Answer {
    send(pds.request(Method::GET, path)).await
}

async fn login(pds: &Pds, identifier: &str, password: &str) -> Answer {
    let input = json!({"identifier": identifier, "password": password});
    send(pds.request(Method::POST, "/xrpc/com.atproto.server.createSession").json(&input)).await
}

/// Root and blocks of a repository, read as the administrator.
async fn repository(pds: &Pds, resident: &Resident) -> (String, Vec<(String, Vec<u8>)>) {
    let path = format!("/xrpc/com.atproto.sync.getRepo?did={}", resident.did);
    let answer = pds.request(Method::GET, &path).basic_auth("admin", Some(SECRETS[1].1)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let file = answer.bytes().await.unwrap();
    let reader = car::Reader::new(&file).unwrap();
    let root = reader.root.to_string();
    let mut blocks: Vec<_> =
        reader.map(|block| block.unwrap()).map(|(cid, block)| (cid.to_string(), block.to_vec())).collect();
    blocks.sort();
    blocks.dedup();
    (root, blocks)
}

async fn is_as_it_was(pds: &Pds, resident: &Resident) {
    let (root, blocks) = repository(pds, resident).await;
    assert_eq!(root, resident.commit.to_string());
    assert!(blocks == resident.blocks, "{}: the same blocks", resident.handle);
}

/// Numbers and messages from a cursor on.
async fn follow(pds: &Pds, cursor: i64, count: usize) -> Vec<(i64, String, Vec<u8>)> {
    let url = format!("http://127.0.0.1:{}", pds.port());
    let mut firehose = Firehose::open(&url, cursor).await;
    firehose.take(count).await.into_iter().map(|event| (event.seq, event.kind, event.bytes)).collect()
}

/// Issue 14, point 11
async fn everything_is_taken_over(database: Database) {
    let reference = directory();
    let old = reference.account("old", 1);
    reference.sequence("delete from repo_seq");
    reference.event(&old.did, "identity", &[0xa0], 60);
    let [alice, bob, carol] =
        [("alice", 450), ("bob", 3), ("carol", 3)].map(|(name, posts)| reference.account(name, posts));
    // An event that was deleted leaves a gap; one of a kind that nobody sends any more, and one that was invalidated, too.
    reference.event(&alice.did, "handle", &[0xa0], 0);
    reference.sequence(
        "update repo_seq set invalidated = 1 where seq = (select max(seq) from repo_seq where eventType = 'account')",
    );
    reference.event(&alice.did, "identity", &[0xa1, 0x63, b'd', b'i', b'd', 0x60], 0);
    let at = "2026-01-02T03:04:05.678Z";
    reference.accounts(&format!(
        "update actor set deactivatedAt = '{at}' where did = '{carol}';
         update actor set takedownRef = 'a decision' where did = '{bob}';
         update account set invitesDisabled = 1 where did = '{alice}';
         insert into refresh_token values ('a-session', '{alice}', '2099-01-01T00:00:00.000Z', null, 'phone');
         insert into refresh_token values ('expired', '{alice}', '2020-01-01T00:00:00.000Z', null, null);
         insert into invite_code values ('code-one', 5, 0, 'admin', 'admin', '{at}'), ('code-two', 1, 1, '{alice}', '{alice}', '{at}');
         insert into invite_code_use values ('code-one', '{alice}', '{at}'), ('code-one', 'did:plc:goneanddeleted', '{at}');",
        alice = alice.did,
        bob = bob.did,
        carol = carol.did,
    ));
    reference.actor(
        &alice.did,
        &format!("update record set takedownRef = 'r' where uri = 'at://{}/com.example.post/000007'", alice.did),
    );
    fs::create_dir_all(reference.folder.path().join("actors/reserved_keys")).unwrap();
    fs::write(reference.folder.path().join("actors/reserved_keys/did:plc:somebody"), [7; 32]).unwrap();
    let before = reference.digest();

    let target = Target::new(database);
    target.migrate();
    let (code, said) = target.import(&reference, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 of 4 accounts (4 imported"), "{said}");
    assert!(!said.contains(SECRETS[0].1) && !said.contains(SECRETS[2].1), "{said}");
    assert_eq!(reference.digest(), before, "the directory is only read");
    let (code, said) = target.import(&reference, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing to do"), "{said}");

    let pds = target.serve().await;
    for resident in [&old, &alice, &bob, &carol] {
        is_as_it_was(&pds, resident).await;
    }
    let session = login(&pds, "alice.test", reference::PASSWORD).await.ok();
    assert_eq!((&session["did"], &session["emailConfirmed"]), (&json!(alice.did), &json!(true)));
    assert_eq!(login(&pds, "alice.test", "wrong").await.status.as_u16(), 401);
    // Once with the hash of the reference, once with the one that the first login has left.
    for _ in 0..2 {
        login(&pds, "alice.test", reference::APP_PASSWORD).await.ok();
        login(&pds, "alice.test", reference::PASSWORD).await.ok();
    }
    assert_eq!(login(&pds, "bob.test", reference::PASSWORD).await.error(), (401, "AccountTakedown"));
    let deactivated = login(&pds, "carol.test", reference::PASSWORD).await.ok();
    assert_eq!((&deactivated["active"], &deactivated["status"]), (&json!(false), &json!("deactivated")));

    let token = session["accessJwt"].as_str().unwrap();
    let preferences = pds.request(Method::GET, "/xrpc/app.bsky.actor.getPreferences").bearer_auth(token);
    let enabled = json!([{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true}]);
    assert_eq!(send(preferences).await.ok()["preferences"], enabled);
    let blob = format!("/xrpc/com.atproto.sync.getBlob?did={}&cid={}", alice.did, alice.blob);
    assert_eq!(get(&pds, &blob).await.ok(), Value::String(String::from_utf8(reference::BLOB.to_vec()).unwrap()));
    let record =
        |n: u32| format!("/xrpc/com.atproto.repo.getRecord?repo={}&collection=com.example.post&rkey={n:06}", alice.did);
    assert_eq!(get(&pds, &record(7)).await.status.as_u16(), 400, "it was taken down");
    get(&pds, &record(8)).await.ok();

    let admin = |path: &str| pds.request(Method::GET, path).basic_auth("admin", Some(SECRETS[1].1));
    let codes = send(admin("/xrpc/com.atproto.admin.getInviteCodes?limit=10")).await.ok()["codes"].clone();
    let code = |name: &str| codes.as_array().unwrap().iter().find(|code| code["code"] == name).unwrap().clone();
    assert_eq!(
        (&code("code-one")["uses"][0]["usedBy"], &code("code-two")["disabled"]),
        (&json!(alice.did), &json!(true))
    );
    let info = send(admin(&format!("/xrpc/com.atproto.admin.getAccountInfo?did={}", alice.did))).await.ok();
    assert_eq!((&info["invitesDisabled"], &info["email"]), (&json!(true), &json!("alice@example.com")));

    // Numbers go on: those of the directory first, then new ones.
    let events = follow(&pds, 4, 9).await;
    let numbers: Vec<_> = events.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(numbers, [5, 6, 7, 8, 9, 10, 11, 13, 15]);
    assert_eq!(follow(&pds, 12, 2).await, events[7..]);
    let input = json!({"repo": alice.did, "collection": "com.example.post", "record": {"$type": "com.example.post"}});
    let create = pds.request(Method::POST, "/xrpc/com.atproto.repo.createRecord").bearer_auth(token).json(&input);
    let written = send(create).await.ok();
    let next = follow(&pds, numbers[8], 1).await;
    assert_eq!((next[0].0, next[0].1.as_str()), (numbers[8] + 1, "#commit"));
    assert!(written["commit"]["rev"].as_str().unwrap() > alice.rev.to_string().as_str());
    pds.terminate();
    assert!(pds.ended().await.success());
}

/// A repository that is damaged in a different way for each account; the others are taken over, and the host can go on without.
async fn damaged_repositories_are_named_and_left_out(database: Database) {
    let reference = directory();
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| reference.account(name, 5));
    let post = bob.blocks.iter().find(|(_, block)| block.windows(6).any(|part| part == b"post 3")).unwrap();
    reference.actor(&bob.did, &format!("delete from repo_block where cid = '{}'", post.0));
    fs::write(reference.actor_folder(&carol.did).join("key"), [9; 32]).unwrap();
    fs::remove_file(reference.actor_folder(&dave.did).join("store.sqlite")).unwrap();
    let lost = reference.folder.path().join("blocks").join(alice.did.as_str()).join(alice.blob.to_string());
    fs::write(&lost, "other bytes").unwrap();

    let target = Target::new(database);
    target.migrate();
    let (code, said) = target.import(&reference, &[]);
    assert_eq!(code, Some(1), "{said}");
    let line = |did: &str| {
        said.lines()
            .find(|line| line.contains(did) && line.contains("was not imported:"))
            .unwrap_or_else(|| panic!("{did}: {said}"))
    };
    assert!(line(bob.did.as_str()).contains("com.example.post/000003"), "{said}");
    assert!(line(carol.did.as_str()).contains("signature"), "{said}");
    assert!(line(dave.did.as_str()).contains("store.sqlite is missing"), "{said}");
    assert!(line(alice.did.as_str()).contains(&format!("blob {}", alice.blob)), "{said}");
    assert!(said.contains("3 of 4 accounts were not imported"), "{said}");

    let refused = run(target.folder.path(), &["serve"], &target.settings());
    assert_eq!(refused.status.code(), Some(78), "{:?}", super::import_reference::said(&refused));
    let without = [&bob, &carol, &dave].map(|resident| resident.did.to_string());
    let without: Vec<_> = without.iter().flat_map(|did| ["--leave-out", did]).collect();
    let (code, said) = target.import(&reference, &without);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 imported before and verified") && said.contains("3 left out"), "{said}");

    let pds = target.serve().await;
    is_as_it_was(&pds, &alice).await;
    let session = login(&pds, "alice.test", reference::PASSWORD).await.ok();
    let missing = pds.request(Method::GET, "/xrpc/com.atproto.repo.listMissingBlobs");
    let missing = send(missing.bearer_auth(session["accessJwt"].as_str().unwrap())).await.ok();
    assert_eq!(missing["blobs"][0]["cid"], alice.blob.to_string());
    let status = get(&pds, &format!("/xrpc/com.atproto.sync.getRepoStatus?did={}", bob.did)).await;
    assert_eq!(status.error(), (400, "RepoNotFound"));
}

/// Killed again and again, it ends the same.
async fn an_import_that_is_killed_goes_on(database: Database) {
    let reference = directory();
    let residents: Vec<_> = (0..12).map(|n| reference.account(&format!("user{n:02}"), 150)).collect();
    let target = Target::new(database);
    target.migrate();
    let (began, mut kills) = (Instant::now(), 0);
    let mut delay = Duration::from_millis(30);
    loop {
        let mut child =
            process::spawn(target.folder.path(), &["import-reference", reference.path()], &target.settings());
        let end = Instant::now() + delay;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // Each run goes a little further, so that they are killed at many places.
        delay = delay.mul_f64(1.3);
        assert!(began.elapsed() < Duration::from_secs(240), "it does not end");
    }
    assert!(kills >= 3, "killed {kills} times");
    let pds = target.serve().await;
    for resident in &residents {
        is_as_it_was(&pds, resident).await;
    }
    login(&pds, "user07.test", reference::PASSWORD).await.ok();
    let numbers: BTreeSet<_> = follow(&pds, 0, 36).await.into_iter().map(|(seq, ..)| seq).collect();
    assert_eq!(numbers, (1..=36).collect());
    let listed = get(&pds, "/xrpc/com.atproto.sync.listRepos?limit=100").await.ok();
    assert_eq!(listed["repos"].as_array().unwrap().len(), residents.len());
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_written() {
    let reference = directory();
    reference.account("alice", 1);
    let target = Target::new(Database::sqlite());
    let refused = |change: (&'static str, &'static str), word: &str| {
        let mut settings = target.settings();
        settings.retain(|(name, _)| *name != change.0);
        settings.push(change);
        let (code, said) = said(&run(target.folder.path(), &["import-reference", reference.path()], &settings));
        assert!(code != Some(0) && said.contains(word), "{said}");
        said
    };
    let said = refused(("PDS_HOSTNAME", "new.example.com"), "PDS_HOSTNAME");
    assert!(said.contains("old.example.com") && said.contains("new.example.com"), "{said}");
    let other = "4444444444444444444444444444444444444444444444444444444444444444";
    let said =
        refused(("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", other), "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX");
    assert!(!said.contains(other) && !said.contains(SECRETS[2].1), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let output = run(target.folder.path(), &["import-reference", empty.path().to_str().unwrap()], &target.settings());
    assert!(super::import_reference::said(&output).1.contains("account.sqlite is missing"));
    let newer = Reference::new("old.example.com", SECRETS[2].1, SECRETS[0].1);
    newer.accounts("insert into kysely_migration values ('008', '')");
    let (_, said) = target.import(&newer, &[]);
    assert!(said.contains("schema version 008"), "{said}");

    let running = reference.open("sequencer.sqlite");
    running.query_row("select count(*) from repo_seq", [], |_| Ok(())).unwrap();
    let (code, said) = target.import(&reference, &[]);
    assert!(code == Some(1) && said.contains("the reference is running"), "{said}");
    drop(running);

    let (code, said) = target.import(&reference, &[]);
    assert_eq!(code, Some(0), "{said}");
    let other = directory();
    other.account("somebody", 1);
    let (code, said) = target.import(&other, &[]);
    assert!(code != Some(0) && said.contains("another data directory"), "{said}");
}

#[tokio::test]
async fn a_database_with_accounts_is_refused() {
    let (reference, target) = (directory(), Target::new(Database::sqlite()));
    reference.account("alice", 1);
    let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    let settings = [
        &target.settings()[..],
        &[("PDS_DID_PLC_URL", &*plc), ("PDS_INVITE_REQUIRED", "false"), ("PDS_SERVICE_HANDLE_DOMAINS", ".test")],
    ]
    .concat();
    let pds = Pds::start(target.folder.path(), &settings).await;
    let person = json!({"handle": "bob.test", "email": "bob@example.com", "password": "correct horse"});
    send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&person)).await.ok();
    pds.terminate();
    assert!(pds.ended().await.success());
    let (code, said) = target.import(&reference, &[]);
    assert!(code != Some(0) && said.contains("the database is not empty"), "{said}");
}

#[tokio::test]
async fn everything_is_taken_over_on_sqlite() {
    everything_is_taken_over(Database::sqlite()).await;
}

#[tokio::test]
async fn everything_is_taken_over_on_postgres() {
    everything_is_taken_over(Database::postgres().await).await;
}

#[tokio::test]
async fn damaged_repositories_are_named_and_left_out_on_sqlite() {
    damaged_repositories_are_named_and_left_out(Database::sqlite()).await;
}

#[tokio::test]
async fn damaged_repositories_are_named_and_left_out_on_postgres() {
    damaged_repositories_are_named_and_left_out(Database::postgres().await).await;
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_on_sqlite() {
    an_import_that_is_killed_goes_on(Database::sqlite()).await;
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_on_postgres() {
    an_import_that_is_killed_goes_on(Database::postgres().await).await;
}
