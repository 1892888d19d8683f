//! Good inputs of every method, generated from its lexicon.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::random::Random;

/// What exists on the server, so that inputs get behind the first check.
#[derive(Clone)]
pub(super) struct World {
    /// Who writes and asks.
    pub(super) did: String,
    pub(super) handle: String,
    /// Whom administrators change.
    pub(super) subject: String,
    pub(super) subject_handle: String,
    pub(super) rkey: String,
    /// Of the record, the commit and the blob.
    pub(super) cids: Vec<String>,
    pub(super) rev: String,
    pub(super) blob: Value,
    pub(super) email: String,
    pub(super) password: String,
    /// The repository as a file.
    pub(super) car: Vec<u8>,
}

/// The definitions of all lexicons by their full names.
pub(super) struct Schemas(HashMap<String, Value>);

/// Collections whose records are generated from their lexicons, and one that has none.
const COLLECTIONS: [&str; 7] = [
    "app.bsky.feed.post",
    "app.bsky.feed.like",
    "app.bsky.graph.follow",
    "app.bsky.graph.list",
    "app.bsky.actor.profile",
    "app.bsky.feed.threadgate",
    "com.example.thing",
];
/// Definitions refer to each other in circles.
const DEEPEST: usize = 6;

/// One input under way.
struct Making<'a> {
    world: &'a World,
    random: &'a mut Random,
    /// Whose DID is given where a method wants one.
    did: &'a str,
    handle: &'a str,
}

impl Schemas {
    pub(super) fn bundled() -> Self {
        let mut all = HashMap::new();
        for document in pds_lexicon::documents() {
            let id = document["id"].as_str().unwrap().to_owned();
            for (name, definition) in document["defs"].as_object().unwrap() {
                let full = if name == "main" { id.clone() } else { format!("{id}#{name}") };
                all.insert(full, definition.clone());
            }
        }
        Self(all)
    }

    /// The parameters of a query as text, or the JSON input of a procedure. What the method takes otherwise is no concern of this.
    pub(super) fn input(&self, nsid: &str, world: &World, random: &mut Random) -> Option<Value> {
        let method = &self.0[nsid];
        let schema = match method["type"].as_str() {
            Some("procedure") => method["input"].get("schema")?,
            _ => method.get("parameters")?,
        };
        let is_administration = nsid.contains(".admin.") || nsid.ends_with("revokeAccountCredentials");
        let (did, handle) = match is_administration {
            true => (&world.subject, &world.subject_handle),
            false => (&world.did, &world.handle),
        };
        let mut making = Making { world, random, did, handle };
        Some(self.value(&mut making, nsid, nsid, schema, 0))
    }

    /// An answer of another service to this query.
    pub(super) fn output(&self, nsid: &str, world: &World, random: &mut Random) -> Option<Value> {
        let schema = self.0[nsid]["output"].get("schema")?;
        let mut making = Making { world, random, did: &world.did, handle: &world.handle };
        Some(self.value(&mut making, nsid, nsid, schema, 0))
    }

    /// A value of a property called `name`, in a definition of `document`.
    fn value(&self, making: &mut Making<'_>, document: &str, name: &str, schema: &Value, depth: usize) -> Value {
        match schema["type"].as_str().unwrap() {
            "object" | "params" => self.object(making, document, schema, depth),
            "array" => {
                let most = if depth > DEEPEST { 0 } else { 3 };
                // Methods want at least one of what they are about.
                let count = making.random.below(most + 1).max(usize::from(depth <= 1));
                (0..count).map(|_| self.value(making, document, name, &schema["items"], depth + 1)).collect()
            }
            "ref" => self.referred(making, document, name, schema["ref"].as_str().unwrap(), depth),
            "union" => {
                let targets: Vec<_> = schema["refs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                if targets.is_empty() {
                    return json!({"$type": "com.example.defs#other"});
                }
                let target = *making.random.pick(&targets);
                let mut value = self.referred(making, document, name, target, depth);
                if let Some(object) = value.as_object_mut() {
                    object.insert("$type".into(), full(document, target).into());
                }
                value
            }
            "boolean" => schema.get("const").cloned().unwrap_or_else(|| making.random.one_in(2).into()),
            "integer" => {
                let (least, most) = (schema["minimum"].as_i64().unwrap_or(1), schema["maximum"].as_i64().unwrap_or(50));
                let most = most.min(least + 100);
                (least + i64::try_from(making.random.below(usize::try_from(most - least + 1).unwrap())).unwrap()).into()
            }
            "string" => text(making, document, name, schema).into(),
            "bytes" => json!({"$bytes": "AAEC"}),
            "cid-link" => json!({"$link": making.random.pick(&making.world.cids)}),
            "blob" => making.world.blob.clone(),
            // Of records, PLC operations and their parts.
            _ => match making.random.below(3) {
                0 => json!({}),
                1 => json!({"atproto": "did:key:zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w"}),
                _ => json!({"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://pds.invalid"}}),
            },
        }
    }

    fn referred(&self, making: &mut Making<'_>, document: &str, name: &str, target: &str, depth: usize) -> Value {
        let target = full(document, target);
        let schema = &self.0[target.as_str()];
        let schema = if schema["type"] == "record" { &schema["record"] } else { schema };
        if schema["type"] == "token" {
            return target.into();
        }
        let document = target.split('#').next().unwrap();
        self.value(making, document, name, schema, depth + 1)
    }

    fn object(&self, making: &mut Making<'_>, document: &str, schema: &Value, depth: usize) -> Value {
        let mut made = Map::new();
        let Some(properties) = schema["properties"].as_object() else { return Value::Object(made) };
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        for (name, property) in properties {
            // The status of a record or a blob is whether it is taken down.
            let is_required = required.iter().any(|one| one == name) || (name == "takedown" && depth == 0);
            if is_required || (depth <= DEEPEST && making.random.one_in(2)) {
                made.insert(name.clone(), self.value(making, document, name, property, depth + 1));
            }
        }
        self.give_record(making, &mut made, depth);
        Value::Object(made)
    }

    /// Makes a collection and the record beside it fit each other.
    fn give_record(&self, making: &mut Making<'_>, made: &mut Map<String, Value>, depth: usize) {
        if !made.contains_key("collection") {
            return;
        }
        let collection = *making.random.pick(&COLLECTIONS);
        let record = match self.0.get(collection) {
            Some(schema) => self.value(making, collection, "record", &schema["record"], depth + 1),
            None => json!({"n": 1, "file": making.world.blob, "deep": {"list": [null, {"a": []}]}}),
        };
        for name in ["record", "value"] {
            if let Some(place) = made.get_mut(name) {
                *place = record.clone();
                place["$type"] = collection.into();
            }
        }
        made.insert("collection".into(), collection.into());
    }
}

/// The whole name of a definition that a document refers to.
fn full(document: &str, reference: &str) -> String {
    let document = document.split('#').next().unwrap();
    let name = if reference.starts_with('#') { format!("{document}{reference}") } else { reference.to_owned() };
    name.strip_suffix("#main").map_or(name.clone(), str::to_owned)
}

/// A text that its schema allows, as much as possible one that means something.
fn text(making: &mut Making<'_>, document: &str, name: &str, schema: &Value) -> String {
    let Making { world, random, .. } = making;
    let (did, handle) = (making.did, making.handle);
    for list in ["enum", "knownValues"] {
        if let Some(values) = schema[list].as_array().filter(|values| !values.is_empty()) {
            return random.pick(values).as_str().unwrap().to_owned();
        }
    }
    if let Some(value) = schema["const"].as_str() {
        return value.to_owned();
    }
    let fresh = |random: &mut Random| format!("f{:x}", random.next());
    let one = |random: &mut Random, of: &[&str]| (*random.pick(of)).to_owned();
    match (schema["format"].as_str(), name) {
        (Some("did"), "signingKey") => "did:key:zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w".into(),
        (Some("did"), _) | (_, "account" | "aud") => did.to_owned(),
        (Some("handle"), "handle") if random.one_in(2) => format!("{}.test", fresh(random)),
        (Some("handle"), _) => handle.to_owned(),
        (Some("at-identifier"), _) | (_, "identifier") => one(random, &[did, handle]),
        (Some("nsid"), "lxm") => one(random, &["app.bsky.feed.getTimeline", "com.atproto.server.createAccount"]),
        (Some("nsid"), _) => one(random, &COLLECTIONS),
        (Some("record-key"), _) => match random.below(3) {
            0 => "self".into(),
            1 => fresh(random),
            _ => world.rkey.clone(),
        },
        (Some("cid"), _) => random.pick(&world.cids).clone(),
        (Some("tid"), _) => world.rev.clone(),
        (Some("datetime"), "deleteAfter" | "until") => "2999-01-01T00:00:00.000Z".into(),
        (Some("datetime"), _) => one(random, &["2999-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"]),
        (Some("at-uri"), _) => format!("at://{did}/{}/{}", random.pick(&COLLECTIONS), world.rkey),
        (Some("uri"), _) => "https://example.invalid/page".into(),
        (Some("language"), _) => "en".into(),
        (_, "cursor") if document == "com.atproto.sync.listRepos" => "1".into(),
        // Lists of blobs go on after one.
        (_, "cursor") if document.ends_with("Blobs") => world.cids[0].clone(),
        (_, "cursor") => {
            let head = format!("2026-01-01T00:00:00.000Z::{}", world.cids[0]);
            one(random, &["1", "0", &world.rev, &head, did, "3jzfcijpj2z2a"])
        }
        (_, "email") if random.one_in(2) => format!("{}@example.com", fresh(random)),
        (_, "email") => world.email.clone(),
        (_, "password") => world.password.clone(),
        (_, "token" | "authFactorToken") => "AAAAA-BBBBB".into(),
        (_, "handle") => format!("{}.test", fresh(random)),
        (_, "scopes") => "repo:com.example.thing".into(),
        (_, "name") => one(random, &["mails", "sessions", "nothing"]),
        _ => one(random, &["some words", "x", "Ünïcødé 🧑‍🧑‍🧒 \u{202e}", "2"]),
    }
}
