//! Records whose lexicon is not built in but published by somebody. AL-REP-3

use std::time::{Duration, Instant};

use pds_server::job;
use serde_json::{Value, json};

use crate::harness::{Database, NameServer, Person, TestPds, TlsFront};

const THING: &str = "org.example.feed.thing";

/// The lexicon of a collection whose records have a number, and one of another document.
fn lexicon(id: &str) -> Value {
    let properties = json!({
        "n": {"type": "integer", "maximum": 5},
        "part": {"type": "ref", "ref": "org.example.parts.defs#part"},
        "subject": {"type": "ref", "ref": "com.atproto.repo.strongRef"},
    });
    let record = json!({"type": "object", "required": ["n"], "properties": properties});
    json!({
        "$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": id,
        "defs": {"main": {"type": "record", "key": "any", "record": record}},
    })
}

/// With lookups at this name server and further settings.
fn settings(names: &NameServer, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string()),
        ("PDS_LEXICON_RESOLVER_TIMEOUT", "20s".to_owned()),
    ];
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    settings
}

async fn publish(person: &Person, lexicon: &Value) {
    let input = json!({
        "repo": person.did, "collection": "com.atproto.lexicon.schema", "rkey": lexicon["id"], "record": lexicon,
    });
    person.call("com.atproto.repo.putRecord", input).await.ok();
}

async fn publish_things(person: &Person) {
    publish(person, &lexicon(THING)).await;
    let part = json!({"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}});
    let parts = json!({
        "$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": "org.example.parts.defs", "defs": {"part": part},
    });
    publish(person, &parts).await;
}

fn input(person: &Person, collection: &str, record: &Value, validate: Option<bool>) -> Value {
    let mut input = json!({"repo": person.did, "collection": collection, "record": record});
    if let Some(validate) = validate {
        input["validate"] = json!(validate);
    }
    input
}

/// The status of a write that succeeds.
async fn status(person: &Person, collection: &str, record: Value, validate: Option<bool>) -> Value {
    let input = input(person, collection, &record, validate);
    person.call("com.atproto.repo.createRecord", input).await.ok()["validationStatus"].clone()
}

/// The message of a write that is refused.
async fn refused(person: &Person, collection: &str, record: Value, validate: Option<bool>) -> String {
    let answer = person.call("com.atproto.repo.createRecord", input(person, collection, &record, validate)).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"), "{}", answer.body);
    answer.body["message"].as_str().unwrap().to_owned()
}

/// Writes until the schema is known, which takes a moment and no waiting write.
async fn until_valid(person: &Person, collection: &str, record: &Value) {
    let until = Instant::now() + Duration::from_secs(20);
    while status(person, collection, record.clone(), None).await != "valid" {
        assert!(Instant::now() < until, "the schema of {collection} is not known");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn story(database: Database) {
    let names = NameServer::start().await;
    let pds = TestPds::with(database, &settings(&names, &[])).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    names.set(&alice.did);
    publish_things(&alice).await;

    // The client requires validation: the write waits for the schema, and for those that it refers to.
    assert_eq!(status(&bob, THING, json!({"n": 1, "part": {"text": "abc"}}), Some(true)).await, "valid");
    let wrong = refused(&bob, THING, json!({"n": 6}), Some(true)).await;
    assert_eq!(wrong, format!("Invalid {THING} record: record/n must be at most 5, found 6"));
    let wrong = refused(&bob, THING, json!({"n": 1, "part": {"text": "abcd"}}), Some(true)).await;
    assert!(
        wrong.starts_with(&format!("Invalid {THING} record: record/part/text must not have more than 3")),
        "{wrong}"
    );
    let wrong = refused(&bob, THING, json!({"n": 1, "subject": {}}), Some(true)).await;
    assert!(wrong.starts_with(&format!("Invalid {THING} record: record/subject must have the property")), "{wrong}");
    // Now it is known, and used without being asked for, but never against the client's wish.
    assert_eq!(status(&bob, THING, json!({"n": 2}), None).await, "valid");
    assert!(refused(&bob, THING, json!({}), None).await.contains("record must have the property \"n\""));
    assert_eq!(status(&bob, THING, json!({"n": "x"}), Some(false)).await, Value::Null);
    let mut put = input(&bob, THING, &json!({"n": 9}), None);
    put["rkey"] = json!("one");
    assert_eq!(bob.call("com.atproto.repo.putRecord", put).await.error(), (400, "InvalidRequest"));

    // One that nobody publishes, with the reference's message.
    let none = "org.example.feed.none";
    let unknown = refused(&bob, none, json!({}), Some(true)).await;
    assert!(unknown.starts_with(&format!("Unknown lexicon type: {none}")), "{unknown}");
    assert_eq!(status(&bob, none, json!({}), None).await, "unknown");
    let write = |collection: &str| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": collection, "value": {"n": 1}});
    let batch = |second: &str| json!({"repo": bob.did, "validate": true, "writes": [write(THING), write(second)]});
    let made = bob.call("com.atproto.repo.applyWrites", batch(THING)).await.ok();
    assert_eq!(made["results"][1]["validationStatus"], "valid");
    let unknown = bob.call("com.atproto.repo.applyWrites", batch(none)).await;
    assert_eq!(unknown.error(), (400, "InvalidRequest"));
    assert!(unknown.body["message"].as_str().unwrap().starts_with("Unknown lexicon type"), "{}", unknown.body);

    // The first write of a collection does not wait. One of the next is checked.
    let second = "org.example.feed.second";
    publish(&alice, &lexicon(second)).await;
    assert_eq!(status(&bob, second, json!({"n": "x"}), None).await, "unknown");
    until_valid(&bob, second, &json!({"n": 1})).await;
    // A lexicon that cannot be used is none: of no record, of another name, with a hole, with a loop.
    let property = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
    let record = |schema: Value| json!({"main": {"type": "record", "key": "any", "record": property(schema)}});
    for (name, defs) in [
        ("object", json!({"main": property(json!({"type": "integer"}))})),
        ("empty", json!({})),
        ("hole", record(json!({"type": "ref", "ref": "org.example.feed.none"}))),
        ("dangling", record(json!({"type": "ref", "ref": "#none"}))),
        (
            "loop",
            json!({"main": record(json!({"type": "ref", "ref": "#a"}))["main"], "a": {"type": "ref", "ref": "#a"}}),
        ),
        ("negative", record(json!({"type": "string", "maxLength": -1}))),
    ] {
        let id = format!("org.example.bad.{name}");
        publish(&alice, &json!({"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": id, "defs": defs})).await;
        let unknown = refused(&bob, &id, json!({"a": 1}), Some(true)).await;
        assert!(unknown.starts_with(&format!("Unknown lexicon type: {id}")), "{unknown}");
        assert_eq!(status(&bob, &id, json!({"a": 1}), None).await, "unknown", "{id}");
    }
}

#[tokio::test]
async fn records_are_checked_against_what_their_domain_publishes_on_sqlite() {
    story(Database::sqlite()).await;
}

#[tokio::test]
async fn records_are_checked_against_what_their_domain_publishes_on_postgres() {
    story(Database::postgres().await).await;
}

/// What one replica has found serves the others, for a day also while the publisher cannot be reached. AL-JOB-3
async fn shared(database: Database) {
    let names = NameServer::start().await;
    let settings = settings(&names, &[]);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pds = TestPds::with(database, &settings).await;
    let alice = pds.person("alice").await;
    names.set(&alice.did);
    publish_things(&alice).await;
    assert_eq!(status(&alice, THING, json!({"n": 1}), Some(true)).await, "valid");
    // From now on the domain names somebody whose server cannot be reached.
    names.set("did:web:localhost");
    const MINUTE: u64 = 60;
    for (minutes, expected) in [(1, true), (20, true), (23 * 60, true), (25 * 60, false)] {
        let replica = pds.replica_with(&settings).await;
        replica.clock.forward(Duration::from_secs(minutes * MINUTE));
        let session = replica.log_in(&alice.handle, "correct horse").await.ok();
        let there = replica.person_of(session);
        let answer =
            there.call("com.atproto.repo.createRecord", input(&there, THING, &json!({"n": 1}), Some(true))).await;
        assert_eq!(answer.status == 200, expected, "after {minutes} minutes: {}", answer.body);
    }
    let row = async || pds_store::lexicon::get(&pds.app.db, THING).await.unwrap();
    let now = row().await.unwrap().checked_at;
    for (hours, expected) in [(23, true), (25, false)] {
        job::cache_cleanup::forget_unused(pds.app.db.clone(), now + hours * 3600 * 1_000_000).await.unwrap();
        assert_eq!(row().await.is_some(), expected, "after {hours} hours");
    }
}

#[tokio::test]
async fn what_one_replica_found_serves_the_others_on_sqlite() {
    shared(Database::sqlite()).await;
}

#[tokio::test]
async fn what_one_replica_found_serves_the_others_on_postgres() {
    shared(Database::postgres().await).await;
}

/// A lexicon that its publisher deleted is no longer used, by nobody.
#[tokio::test]
async fn a_deleted_lexicon_is_forgotten() {
    let names = NameServer::start().await;
    let settings = settings(&names, &[]);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pds = TestPds::with(Database::sqlite(), &settings).await;
    let alice = pds.person("alice").await;
    names.set(&alice.did);
    publish_things(&alice).await;
    assert_eq!(status(&alice, THING, json!({"n": 1}), Some(true)).await, "valid");
    let gone = json!({"repo": alice.did, "collection": "com.atproto.lexicon.schema", "rkey": THING});
    alice.call("com.atproto.repo.deleteRecord", gone).await.ok();
    let replica = pds.replica_with(&settings).await;
    replica.clock.forward(Duration::from_secs(600));
    let there = replica.person_of(replica.log_in(&alice.handle, "correct horse").await.ok());
    let unknown = refused(&there, THING, json!({"n": 1}), Some(true)).await;
    assert!(unknown.starts_with("Unknown lexicon type"), "{unknown}");
    assert_eq!(pds_store::lexicon::get(&pds.app.db, THING).await.unwrap(), None);
}

/// The publisher is on another host, whose answer is proven with the key in its DID document.
#[tokio::test]
async fn a_lexicon_of_another_host_is_proven() {
    let names = NameServer::start().await;
    let (front, listener) = TlsFront::start().await;
    let more = [
        ("PDS_OUTBOUND_ALLOW", "127.0.0.0/8,::1"),
        ("PDS_CA_FILE", front.ca.as_str()),
        ("PDS_ID_RESOLVER_TIMEOUT", "5000"),
    ];
    let pds = TestPds::with(Database::sqlite(), &settings(&names, &more)).await;
    let other = pds.neighbour(Database::sqlite()).await;
    front.open(listener, &other.url);
    let (bob, carol, dan) = (pds.person("bob").await, other.person("carol").await, other.person("dan").await);
    for person in [&carol, &dan] {
        publish_things(person).await;
        publish(person, &lexicon("org.example.feed.second")).await;
    }

    // Somebody else's key.
    pds.directory.move_to(&dan.did, &front.url, Some(&pds.directory.key(&carol.did)));
    names.set(&dan.did);
    let unproven = refused(&bob, "org.example.feed.second", json!({"n": 1}), Some(true)).await;
    assert!(unproven.contains("proves nothing"), "{unproven}");
    pds.directory.move_to(&carol.did, &front.url, None);
    names.set(&carol.did);
    assert_eq!(status(&bob, THING, json!({"n": 1, "part": {}}), Some(true)).await, "valid");
    let wrong = refused(&bob, THING, json!({"n": 6}), Some(true)).await;
    assert_eq!(wrong, format!("Invalid {THING} record: record/n must be at most 5, found 6"));
    let missing = refused(&bob, "org.example.feed.third", json!({"n": 1}), Some(true)).await;
    assert!(missing.starts_with("Unknown lexicon type: org.example.feed.third"), "{missing}");
}

/// Name servers that do not answer hold up neither writes nor the lookups of other accounts.
#[tokio::test]
async fn invented_names_cost_others_nothing() {
    let names = NameServer::start().await;
    let more = [("PDS_ID_RESOLVER_TIMEOUT", "3s"), ("PDS_LEXICON_RESOLVER_TIMEOUT", "20s")];
    let pds = TestPds::with(Database::sqlite(), &settings(&names, &more)).await;
    let (alice, mallory) = (pds.person("alice").await, pds.person("mallory").await);
    names.set(&alice.did);
    names.silence("invented");
    publish_things(&alice).await;
    let began = Instant::now();
    for at in 0..40 {
        let collection = format!("org.invented{at}.thing");
        assert_eq!(status(&mallory, &collection, json!({}), None).await, "unknown");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "writes wait for name servers: {:?}", began.elapsed());
    let required = input(&mallory, "org.invented99.thing", &json!({}), Some(true));
    let answer = mallory.call("com.atproto.repo.createRecord", required).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable"), "{}", answer.body);
    assert_eq!(status(&alice, THING, json!({"n": 1}), Some(true)).await, "valid");
    // Four at a time, each for three seconds.
    let most = 4 * (1 + usize::try_from(began.elapsed().as_secs()).unwrap() / 3);
    assert!(names.asked("invented") <= most, "{} names were asked for", names.asked("invented"));
}

#[tokio::test]
async fn a_write_waits_no_longer_than_it_may() {
    let names = NameServer::start().await;
    let more = [("PDS_LEXICON_RESOLVER_TIMEOUT", "1")];
    let pds = TestPds::with(Database::sqlite(), &settings(&names, &more)).await;
    let alice = pds.person("alice").await;
    names.set(&alice.did);
    publish_things(&alice).await;
    let late = refused(&alice, THING, json!({"n": 1}), Some(true)).await;
    assert_eq!(late, format!("Unknown lexicon type: {THING} (it was not found in time)"));
    // The lookup goes on without the write.
    until_valid(&alice, THING, &json!({"n": 1})).await;
}

/// Lookups are limited by the hour: one more is refused if the client requires it, and left out otherwise.
#[tokio::test]
async fn lookups_of_an_account_are_limited() {
    let names = NameServer::start().await;
    let pds = TestPds::with(Database::sqlite(), &settings(&names, &[("PDS_RATE_LIMITS_ENABLED", "true")])).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    names.set(&alice.did);
    let require = async |person: &Person, at: usize| {
        let input = input(person, &format!("org.example.none{at}.thing"), &json!({}), Some(true));
        person.call("com.atproto.repo.createRecord", input).await
    };
    for at in 0..100 {
        let answer = require(&alice, at).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{}", answer.body);
    }
    assert_eq!(require(&alice, 100).await.error(), (429, "RateLimitExceeded"));
    // What is known is not looked up.
    assert_eq!(require(&alice, 99).await.error(), (400, "InvalidRequest"));
    assert_eq!(status(&alice, "org.example.none101.thing", json!({}), None).await, "unknown");
    assert_eq!(require(&bob, 102).await.error(), (400, "InvalidRequest"));
    assert_eq!(names.asked("none101"), 0);
}

#[tokio::test]
async fn lookups_can_be_turned_off() {
    let names = NameServer::start().await;
    let pds = TestPds::with(Database::sqlite(), &settings(&names, &[("PDS_LEXICON_RESOLVER_TIMEOUT", "0")])).await;
    let alice = pds.person("alice").await;
    names.set(&alice.did);
    publish_things(&alice).await;
    assert_eq!(status(&alice, THING, json!({"n": "x"}), None).await, "unknown");
    assert_eq!(refused(&alice, THING, json!({"n": 1}), Some(true)).await, format!("Unknown lexicon type: {THING}"));
    assert_eq!(names.asked("_lexicon"), 0);
}
