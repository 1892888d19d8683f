//! Writers that go on while processes die, and note what they asked for and what they were promised.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pds_repo::{Cid, record};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::RwLock, time::sleep};

use super::{
    ledger::{Change, Ledger, Promise, Sent},
    replica::Address,
};

const THING: &str = "com.example.thing";
/// Records that one writer keeps.
const KEPT: usize = 40;
/// Whatever has happened to a replica, it breaks off or answers within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with an account and a session that every replica accepts.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) did: String,
    pub(super) access: String,
}

/// One writer with records of its own, in a repository that others may write to as well.
pub(super) struct Writer {
    account: Account,
    replicas: Vec<Address>,
    ledger: Arc<Ledger>,
    /// Held for reading while a request is on its way.
    gate: Arc<RwLock<()>>,
    http: reqwest::Client,
    random: StdRng,
    name: String,
    count: u64,
    /// What is surely there. A record is left alone for ever once nobody knows what became of a write to it.
    records: BTreeMap<String, Cid>,
}

/// What is asked of the server.
struct Request {
    method: &'static str,
    input: Value,
    changes: Vec<Change>,
}

impl Writer {
    pub(super) fn new(
        name: String,
        account: Account,
        replicas: Vec<Address>,
        ledger: Arc<Ledger>,
        gate: Arc<RwLock<()>>,
        seed: u64,
    ) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let random = StdRng::seed_from_u64(seed);
        Self { account, replicas, ledger, gate, http, random, name, count: 0, records: BTreeMap::new() }
    }

    /// Writes as fast as it is answered, until the task is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let gate = self.gate.clone();
            let open = gate.read().await;
            let answered = self.write().await;
            drop(open);
            if !answered {
                sleep(Duration::from_millis(30)).await;
            }
        }
    }

    /// One write; whether it was acknowledged.
    pub(super) async fn write(&mut self) -> bool {
        let Some(request) = self.next().await else { return false };
        let replica = self.replica();
        let url = format!("{}/xrpc/{}", replica, request.method);
        // From here on there may be a commit: these records are known again when it is answered.
        for path in request.changes.iter().filter_map(|change| change.path.as_ref()) {
            self.records.remove(path);
        }
        let sent = self.ledger.send(&self.account.did, request.changes.clone());
        let call = self.http.post(url).bearer_auth(&self.account.access).json(&request.input);
        let Some(answer) = answer(call).await else { return false };
        self.acknowledged(&sent, &request, &answer).await;
        true
    }

    async fn acknowledged(&mut self, sent: &Sent, request: &Request, answer: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{}: {answer}", request.method)).to_owned();
        let uri = if answer["uri"].is_string() { Some(text(&answer["uri"])) } else { None };
        let prefix = format!("at://{}/", self.account.did);
        let path = match uri {
            Some(uri) => uri.strip_prefix(&prefix).expect("a record of this repository").to_owned(),
            None => request.changes[0].path.clone().expect("a chosen record key"),
        };
        let (rev, commit) = (text(&answer["commit"]["rev"]), text(&answer["commit"]["cid"]).parse().unwrap());
        self.ledger.acknowledge(sent, Promise { rev, commit, path: path.clone() });
        for change in &request.changes {
            if let Some(cid) = change.cid {
                self.records.insert(change.path.clone().unwrap_or_else(|| path.clone()), cid);
            }
        }
        if self.random.random_ratio(1, 8) {
            self.look(&path).await;
        }
    }

    /// What was just acknowledged is there, whichever replica is asked.
    async fn look(&mut self, path: &str) {
        let url = format!("{}/xrpc/com.atproto.repo.getRecord", self.replica());
        let query = [("repo", self.account.did.as_str()), ("collection", THING), ("rkey", rkey(path))];
        let Ok(found) = self.http.get(url).query(&query).send().await else { return };
        if found.status().is_server_error() {
            return;
        }
        let Ok(found) = found.json::<Value>().await else { return };
        let expected = self.records.get(path).map(ToString::to_string);
        assert_eq!(found["cid"].as_str(), expected.as_deref(), "{path} reads as {found}");
    }

    fn replica(&mut self) -> String {
        self.replicas.choose(&mut self.random).unwrap().url()
    }

    /// What to ask next; `None` if a blob that it needs could not be uploaded.
    async fn next(&mut self) -> Option<Request> {
        let known: Vec<String> = self.records.keys().cloned().collect();
        let some = known.choose(&mut self.random).cloned();
        let roll = if known.len() < 5 { self.random.random_range(0..45) } else { self.random.random_range(0..100) };
        let did = self.account.did.clone();
        Some(match (roll, some) {
            (70.., Some(path)) if known.len() > KEPT || roll >= 90 => {
                let input = json!({"repo": did, "collection": THING, "rkey": rkey(&path)});
                let changes = vec![Change { prev: self.records.get(&path).copied(), cid: None, path: Some(path) }];
                Request { method: "com.atproto.repo.deleteRecord", input, changes }
            }
            (70.., Some(path)) => self.put(path),
            (45..70, Some(_)) => self.together(&known),
            (..36, _) => {
                let blob = if roll < 28 { Value::Null } else { self.upload().await? };
                let (value, cid) = self.thing(&blob);
                let input = json!({"repo": did, "collection": THING, "record": value});
                let changes = vec![Change { path: None, cid: Some(cid), prev: None }];
                Request { method: "com.atproto.repo.createRecord", input, changes }
            }
            _ => {
                let path = self.path();
                self.put(path)
            }
        })
    }

    fn put(&mut self, path: String) -> Request {
        let (value, cid) = self.thing(&Value::Null);
        let input = json!({"repo": self.account.did, "collection": THING, "rkey": rkey(&path), "record": value});
        let changes = vec![Change { path: Some(path), cid: Some(cid), prev: None }];
        Request { method: "com.atproto.repo.putRecord", input, changes }
    }

    /// Several writes in one commit: an update, a deletion and creations.
    fn together(&mut self, known: &[String]) -> Request {
        const WRITE: &str = "com.atproto.repo.applyWrites";
        let (mut writes, mut changes) = (Vec::new(), Vec::new());
        for (n, path) in known.sample(&mut self.random, 2).cloned().enumerate().collect::<Vec<_>>() {
            let rkey = rkey(&path);
            if n == 0 {
                let (value, cid) = self.thing(&Value::Null);
                writes.push(
                    json!({"$type": format!("{WRITE}#update"), "collection": THING, "rkey": rkey, "value": value}),
                );
                changes.push(Change { path: Some(path), cid: Some(cid), prev: None });
            } else {
                writes.push(json!({"$type": format!("{WRITE}#delete"), "collection": THING, "rkey": rkey}));
                changes.push(Change { prev: self.records.get(&path).copied(), cid: None, path: Some(path) });
            }
        }
        for _ in 0..self.random.random_range(1..4) {
            let (path, (value, cid)) = (self.path(), self.thing(&Value::Null));
            let create =
                json!({"$type": format!("{WRITE}#create"), "collection": THING, "rkey": rkey(&path), "value": value});
            writes.push(create);
            changes.push(Change { path: Some(path), cid: Some(cid), prev: None });
        }
        Request { method: WRITE, input: json!({"repo": self.account.did, "writes": writes}), changes }
    }

    /// A record that is like no other.
    fn thing(&mut self, blob: &Value) -> (Value, Cid) {
        self.count += 1;
        let text = "x".repeat(self.random.random_range(0..600));
        let mut value = json!({"$type": THING, "by": self.name, "n": self.count, "text": text});
        if !blob.is_null() {
            value["blob"] = blob.clone();
        }
        let cid = record::from_json(&value).unwrap().cid;
        (value, cid)
    }

    /// A record key that was never used.
    fn path(&mut self) -> String {
        self.count += 1;
        format!("{THING}/{}-{}", self.name, self.count)
    }

    async fn upload(&mut self) -> Option<Value> {
        self.count += 1;
        let mut bytes = format!("{} {} ", self.name, self.count).into_bytes();
        bytes.resize(self.random.random_range(100..200_000), b'.');
        let url = format!("{}/xrpc/com.atproto.repo.uploadBlob", self.replica());
        let call =
            self.http.post(url).bearer_auth(&self.account.access).header("content-type", "text/plain").body(bytes);
        Some(answer(call).await?["blob"].take())
    }
}

/// Of a path in the one collection.
fn rkey(path: &str) -> &str {
    path.strip_prefix(THING).and_then(|rest| rest.strip_prefix('/')).expect("a path in the collection")
}

/// The body of a 200; `None` if the request broke off or the server says that it cannot do it now. Nothing that is asked here may be
/// refused, and nothing may fail in any other way.
async fn answer(call: RequestBuilder) -> Option<Value> {
    let answer = call.send().await.map_err(|error| assert!(!error.is_timeout(), "no answer: {error:?}")).ok()?;
    let (status, text) = (answer.status(), answer.text().await);
    match status {
        StatusCode::OK => serde_json::from_str(&text.ok()?).ok(),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => None,
        _ => panic!("answered {status}: {text:?}"),
    }
}
