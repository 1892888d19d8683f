//! Validates generated records with this crate and with the npm package of the reference implementation, and compares the results.
//!
//! Records never contain the cases in which the two differ intentionally. The npm package accepts an array instead of an object, does not check
//! type and size of a blob (the reference server checks them elsewhere), and accepts timestamps without a zone or with a 61st second and CIDs in
//! other bases, which the newer validator of the reference server refuses.

use std::io::Write as _;
use std::process::{Command, Stdio};

use pds_lexicon::Catalog;
use serde_json::{Map, Value, json};

const RECORDS_PER_COLLECTION: usize = 200;
const CID: &str = "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";

#[test]
fn the_reference_agrees_on_generated_records() {
    let data: Value = serde_json::from_str(include_str!("../../data/lexicons.json")).unwrap();
    let mut generator = Generator { data: &data, random: Random(1) };
    let mut cases = Vec::new();
    for document in data["documents"].as_array().unwrap() {
        if document["defs"]["main"]["type"] != "record" {
            continue;
        }
        for round in 0..RECORDS_PER_COLLECTION {
            let collection = document["id"].as_str().unwrap();
            cases.push(json!({ "collection": collection, "record": generator.record(document, round % 4 != 0) }));
        }
    }
    let theirs = reference(&cases);
    let (mut accepted, mut refused) = (0, 0);
    for (case, theirs) in cases.iter().zip(&theirs) {
        let collection = case["collection"].as_str().unwrap().parse().unwrap();
        let ours = Catalog::bundled().validate_record(&collection, &case["record"]);
        assert_eq!(ours.is_ok(), theirs.is_null(), "ours: {ours:?}\ntheirs: {theirs}\n{case:#}");
        if ours.is_ok() { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 1_000 && refused > 1_000, "one-sided: {accepted} accepted, {refused} refused");
}

fn reference(cases: &[Value]) -> Vec<Value> {
    let folder =
        std::env::var("AURORA_NPM_DIR").expect("AURORA_NPM_DIR is not set: run `make test`, which installs it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reference.mjs");
    let mut command = Command::new(format!("{folder}/node"));
    let command = command.args([script, &folder]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = command.spawn().expect("AURORA_NPM_DIR holds the script `node`");
    node.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// Makes records that are valid according to a schema, and changes one value in most of them.
struct Generator<'a> {
    data: &'a Value,
    random: Random,
}

impl<'a> Generator<'a> {
    fn record(&mut self, document: &'a Value, change: bool) -> Value {
        let mut record = self.value(&document["defs"]["main"]["record"], 0);
        record["$type"] = document["id"].clone();
        if change {
            let mut places = Vec::new();
            places_of(&record, String::new(), &mut places);
            let place = &places[self.random.below(places.len())];
            self.change(&mut record, place);
        }
        record
    }

    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        match schema["type"].as_str().unwrap() {
            "object" => self.object(schema, depth),
            "array" => {
                let longest = schema["maxLength"].as_u64().unwrap_or(3).min(3) as usize;
                let shortest = schema["minLength"].as_u64().unwrap_or(0) as usize;
                let length = if depth > 4 { shortest } else { shortest.max(self.random.below(longest + 1)) };
                (0..length).map(|_| self.value(&schema["items"], depth + 1)).collect()
            }
            "union" => {
                let refs = schema["refs"].as_array().unwrap();
                if self.random.below(8) == 0 {
                    return json!({ "$type": "com.example.later", "text": 7 });
                }
                let name = refs[self.random.below(refs.len())].as_str().unwrap();
                let mut value = self.named(name, depth);
                value["$type"] = name.into();
                value
            }
            "ref" => self.named(schema["ref"].as_str().unwrap(), depth),
            "boolean" => json!(self.random.below(2) == 0),
            "integer" => json!(schema["minimum"].as_i64().unwrap_or(0) + self.random.below(3) as i64),
            "bytes" => json!({ "$bytes": "AAECAw" }),
            "blob" => {
                let accept = schema["accept"][0].as_str().unwrap_or("image/png").replace('*', "png");
                json!({ "$type": "blob", "ref": { "$link": CID }, "mimeType": accept, "size": 100 })
            }
            "string" => self.text(schema).into(),
            other => panic!("no generator for {other}"),
        }
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Value {
        let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().unwrap() {
            if required(name) || (depth < 5 && self.random.below(2) == 0) {
                object.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        object.into()
    }

    fn named(&mut self, name: &str, depth: usize) -> Value {
        let (id, definition) = name.split_once('#').unwrap_or((name, "main"));
        let document = self.data["documents"].as_array().unwrap().iter().find(|document| document["id"] == id).unwrap();
        self.value(&document["defs"][definition], depth)
    }

    fn text(&mut self, schema: &Value) -> String {
        match schema["format"].as_str() {
            Some("datetime") => "2026-01-01T00:00:00.123Z",
            Some("uri") => "https://example.com/path?query#part",
            Some("did") => "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            Some("at-uri") => "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3k2yihcrp6f2c",
            Some("handle") => "alice.example.com",
            Some("nsid") => "app.bsky.feed.post",
            Some("cid") => CID,
            Some("language") => "en-US",
            Some(other) => panic!("no generator for format {other}"),
            None => ["hello", "👩‍👩‍👦‍👦 grüß", "x"][self.random.below(3)],
        }
        .to_owned()
    }

    /// Replaces or removes a value. Never replaces an object with an array, see above.
    fn change(&mut self, record: &mut Value, place: &str) {
        let (parent, name) = place.rsplit_once('/').unwrap();
        if self.random.below(5) == 0
            && let Some(object) = record.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            object.remove(name);
            return;
        }
        let scalars = [json!(null), json!(true), json!(7), json!(-1), json!(1_u64 << 40), json!("x"), json!(1.5)];
        let other_kind = self.random.below(3) == 0;
        let value = record.pointer_mut(place).unwrap();
        *value = match &*value {
            Value::String(_) if !other_kind => self.string().into(),
            Value::Array(items) if !other_kind => match (items.first().cloned(), self.random.below(2)) {
                (Some(first), 0) => vec![first; 200].into(),
                _ => json!([]),
            },
            _ => scalars[self.random.below(scalars.len())].clone(),
        };
    }

    fn string(&mut self) -> String {
        let family = "👩‍👩‍👦‍👦";
        let texts = [
            String::new(),
            "a".repeat(65),
            "a".repeat(400),
            "a".repeat(30_000),
            family.repeat(10),
            family.repeat(65),
            family.repeat(301),
            "🇩🇪".repeat(64),
            "e\u{301}".repeat(257),
            "\r\n".repeat(200),
            "did:plc:ewvi7nxzyoun6zhxrhs64oiz".into(),
            "did:web:example.com".into(),
            "did:plc:".into(),
            "alice.example.com".into(),
            "-alice.example.com".into(),
            "at://alice.example.com".into(),
            "at://alice.example.com/app.bsky.feed.post/..".into(),
            "https://example.com".into(),
            "mailto:alice@example.com".into(),
            "https://example.com/a b".into(),
            "en".into(),
            "i-navajo".into(),
            "de-DE-1996".into(),
            "-de".into(),
            "app.bsky".into(),
            "app.bsky.feed.like".into(),
            CID.into(),
            CID.to_ascii_uppercase(),
            CID.replacen("bafk", "bAFK", 1),
            format!("{CID}aa"),
            "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".into(),
            "f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
            "2026-01-01T00:00:00+01:00".into(),
            "2026-13-01T00:00:00Z".into(),
            "yesterday".into(),
        ];
        texts[self.random.below(texts.len())].clone()
    }
}

/// JSON pointers to all values below this one, except those in blobs and bytes.
fn places_of(value: &Value, at: String, places: &mut Vec<String>) {
    let mut visit = |name: &str, child: &Value| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        places.push(at.clone());
        places_of(child, at, places);
    };
    match value {
        Value::Object(object) if object.get("$type").is_none_or(|name| name != "blob") => {
            object.iter().filter(|(name, _)| *name != "$bytes").for_each(|(name, child)| visit(name, child));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, child)| visit(&index.to_string(), child)),
        _ => {}
    }
}

/// SplitMix64, so that every run makes the same records.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
