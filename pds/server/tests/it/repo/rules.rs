//! A host's own rules for records. AL-REP-4

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::harness::{Database, Person, TestPds};

const RULES: &str = r#"{
    "allow": ["app.bsky.*", "com.example.*"],
    "deny": ["com.example.secret.*"],
    "maxBytes": {"com.example.*": 200, "app.bsky.feed.post": 20000}
}"#;

fn file(rules: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules).unwrap();
    file
}

async fn refused(person: &Person, method: &str, input: Value) -> String {
    let answer = person.call(&format!("com.atproto.repo.{method}"), input).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"), "{}", answer.body);
    answer.body["message"].as_str().unwrap().to_owned()
}

async fn story(database: Database) {
    let rules = file(RULES);
    let pds = TestPds::with(database, &[("PDS_RECORD_RULES_FILE", rules.path().to_str().unwrap())]).await;
    // Accounts of before the rules: on a replica without them.
    let before = pds.replica().await;
    let (alice, old) = (pds.person("alice").await, before.person("bob").await);
    let bob = old.at(&pds.url);
    let create = |person: &Person, collection: &str, record: Value| json!({"repo": person.did, "collection": collection, "record": record});
    let large = json!({"text": "x".repeat(300)});
    alice.post("hello").await;
    alice.create("com.example.thing", json!({"n": 1})).await.ok();

    let denied = refused(&alice, "createRecord", create(&alice, "com.example.secret.thing", json!({}))).await;
    assert!(denied.contains("com.example.secret.thing (rule: deny \"com.example.secret.*\")"), "{denied}");
    let other = refused(&alice, "createRecord", create(&alice, "org.example.thing", json!({}))).await;
    assert!(other.contains("org.example.thing (rule: allow"), "{other}");
    let mut put = create(&alice, "com.example.thing", large.clone());
    put["rkey"] = json!("one");
    let too_large = refused(&alice, "putRecord", put).await;
    assert!(
        too_large.contains("at most 200 bytes, found 33") && too_large.contains("(rule: maxBytes \"com.example.*\")"),
        "{too_large}"
    );
    let write = |kind: &str, collection: &str, value: Option<&Value>| {
        let mut write =
            json!({"$type": format!("com.atproto.repo.applyWrites#{kind}"), "collection": collection, "rkey": "it"});
        if let Some(value) = value {
            write["value"] = value.clone();
        }
        write
    };
    let batch = |writes: Value| json!({"repo": bob.did, "writes": writes});
    let before_rules = json!([
        write("create", "org.example.thing", Some(&json!({}))),
        write("create", "com.example.thing", Some(&large)),
    ]);
    old.call("com.atproto.repo.applyWrites", batch(before_rules)).await.ok();
    // One refused write refuses all. Whatever was there before may be deleted, not changed.
    let good = write("create", "com.example.other", Some(&json!({"n": 1})));
    let bad = write("update", "org.example.thing", Some(&json!({"n": 1})));
    assert!(refused(&bob, "applyWrites", batch(json!([good, bad]))).await.contains("(rule: allow"));
    assert!(
        refused(&bob, "applyWrites", batch(json!([write("update", "com.example.thing", Some(&large))])))
            .await
            .contains("maxBytes")
    );
    let deletions = json!([write("delete", "org.example.thing", None), write("delete", "com.example.thing", None)]);
    bob.call("com.atproto.repo.applyWrites", batch(deletions)).await.ok();

    // An import brings what it has.
    old.create("org.example.thing", large).await.ok();
    let car = old.car().await;
    let request = pds.post("com.atproto.repo.importRepo").bearer_auth(&bob.access);
    let imported = request.header("content-type", "application/vnd.ipld.car").body(car).send().await.unwrap();
    assert_eq!(imported.status(), 200, "{}", imported.text().await.unwrap());
}

#[tokio::test]
async fn refuse_writes_and_nothing_that_is_there_on_sqlite() {
    story(Database::sqlite()).await;
}

#[tokio::test]
async fn refuse_writes_and_nothing_that_is_there_on_postgres() {
    story(Database::postgres().await).await;
}
