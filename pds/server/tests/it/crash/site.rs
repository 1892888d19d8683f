//! Replicas, people with accounts, writers and followers; and everything that must hold whenever the writers pause.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use pds_crypto::PublicKey;
use pds_repo::Cid;
use serde_json::{Value, json};
use tokio::{sync::RwLock, task::JoinSet, time::sleep};

use super::{
    audit::Audit,
    follower::{follow, read},
    ledger::Ledger,
    load::{Account, Writer},
    replica::{Address, Replica},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Writers in the repository that everybody writes to, and accounts with a writer of their own.
const IN_ONE: usize = 4;
const ALONE: usize = 4;

/// All of it.
pub(super) struct Site {
    pub(super) replicas: Vec<Replica>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) audit: Arc<Audit>,
    pub(super) accounts: Vec<Account>,
    http: reqwest::Client,
    /// The last event of each follower.
    followers: Vec<Arc<AtomicI64>>,
    /// Ends the load and the followers with it.
    tasks: JoinSet<()>,
    gate: Arc<RwLock<()>>,
    /// Writes when nobody else does.
    probe: Writer,
    /// Writes through the last replica alone.
    elsewhere: Writer,
}

impl Site {
    /// Signs people up at replicas that are ready, and lets writers and followers begin.
    pub(super) async fn open(replicas: Vec<Replica>, directory: &str, seed: u64) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let (mut accounts, mut keys) = (Vec::new(), HashMap::new());
        for n in 0..ALONE + 2 {
            let account = sign_up(&http, &replicas[n % replicas.len()].address.url(), n).await;
            keys.insert(account.did.clone(), signing_key(&http, directory, &account.did).await);
            accounts.push(account);
        }
        let (ledger, gate) = (Arc::<Ledger>::default(), Arc::<RwLock<()>>::default());
        let audit = Arc::new(Audit::new(ledger.clone(), keys));
        let addresses: Vec<Address> = replicas.iter().map(|replica| replica.address.clone()).collect();
        let writer_at = |addresses: &[Address], name: &str, account: &Account, number: usize| {
            let seed = seed.wrapping_mul(1_000).wrapping_add(u64::try_from(number).unwrap());
            Writer::new(name.to_owned(), account.clone(), addresses.to_vec(), ledger.clone(), gate.clone(), seed)
        };
        let writer = |name: &str, account: &Account, number: usize| writer_at(&addresses, name, account, number);
        let probe = writer("probe", &accounts[ALONE + 1], 0);
        let elsewhere = writer_at(&addresses[addresses.len() - 1..], "elsewhere", &accounts[ALONE], 100);
        let mut tasks = JoinSet::new();
        for n in 0..IN_ONE {
            tasks.spawn(writer(&format!("together{n}"), &accounts[ALONE], 1 + n).run());
        }
        for (n, account) in accounts[..ALONE].iter().enumerate() {
            tasks.spawn(writer(&format!("alone{n}"), account, 1 + IN_ONE + n).run());
        }
        // One at each replica, and one that takes its cursor from one to the other.
        let mut followers = Vec::new();
        for followed in addresses.iter().map(|address| vec![address.clone()]).chain([addresses.clone()]) {
            let last = Arc::<AtomicI64>::default();
            tasks.spawn(follow(followed, audit.clone(), last.clone()));
            followers.push(last);
        }
        Self { replicas, ledger, audit, accounts, http, followers, tasks, gate, probe, elsewhere }
    }

    /// Waits until so many more writes have been acknowledged.
    pub(super) async fn progress(&mut self, more: usize) {
        let (goal, began) = (self.ledger.acknowledged() + more, Instant::now());
        while self.ledger.acknowledged() < goal {
            self.failures();
            assert!(began.elapsed() < PATIENCE, "{} of {goal} writes: {}", self.ledger.acknowledged(), self.logs());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The same through the last replica alone, in the repository that everybody writes to.
    pub(super) async fn progress_elsewhere(&mut self, mut more: usize) {
        let began = Instant::now();
        while more > 0 {
            more -= usize::from(self.elsewhere.write().await);
            assert!(began.elapsed() < PATIENCE, "{more} writes are missing: {}", self.logs());
        }
    }

    /// Waits until no request of the writers is on its way any more, and lets them go on.
    pub(super) async fn all_answered(&self) {
        drop(tokio::time::timeout(PATIENCE, self.gate.write()).await.expect("an answer to every request in time"));
    }

    /// Writers and followers never end, unless they find something wrong.
    fn failures(&mut self) {
        if let Some(Err(failure)) = self.tasks.try_join_next() {
            panic!("a writer or follower has failed: {failure:?}\n{}", self.logs());
        }
    }

    fn logs(&self) -> String {
        self.replicas.iter().map(Replica::log).collect::<Vec<_>>().join("\n\n")
    }

    /// With the writers pausing and all replicas ready: nothing that was promised is missing from the stream, and the
    /// repositories stand where it says. `whole`: the stream is also read from its beginning at every replica, and every
    /// repository, each in two ways.
    pub(super) async fn check(&mut self, whole: bool) {
        let gate = self.gate.clone();
        let pause = gate.write().await;
        // Its event comes behind those of all commits that were answered.
        let began = Instant::now();
        let before = self.audit.rev(&self.accounts[ALONE + 1].did);
        while !self.probe.write().await {
            assert!(began.elapsed() < PATIENCE, "no writing: {}", self.logs());
        }
        loop {
            self.failures();
            let behind = self.behind().await;
            let last = self.audit.last();
            let all_here = self.followers.iter().all(|follower| follower.load(Ordering::Relaxed) == last);
            if behind.is_none() && all_here && self.audit.rev(&self.accounts[ALONE + 1].did) > before {
                break;
            }
            let (followers, logs) = (&self.followers, self.logs());
            assert!(began.elapsed() < PATIENCE, "{followers:?} of {last}, repository ahead: {behind:?}\n{logs}");
            sleep(Duration::from_millis(10)).await;
        }
        self.ledger.settle();
        if whole {
            let last = self.audit.last();
            for replica in &self.replicas {
                read(&replica.address.url(), &AtomicI64::default(), &self.audit, Some(last)).await;
            }
            assert_eq!(self.audit.last(), last, "events while nobody wrote");
            for (did, told) in self.audit.repositories() {
                for replica in &self.replicas {
                    let url = replica.address.url();
                    let (rev, commit, records) = self.audit.export(&did, &self.exported(&url, &did).await);
                    assert_eq!((&rev, Some(commit)), (&told.rev, told.commit), "{did}");
                    assert_eq!(records, told.records, "the export of {did} and the stream");
                    assert_eq!(self.listed(&url, &did).await, told.records, "the list of {did} and the stream");
                }
            }
        }
        drop(pause);
    }

    /// A repository that stands somewhere else than the stream has told.
    async fn behind(&self) -> Option<(String, Value)> {
        for (did, told) in self.audit.repositories() {
            for replica in &self.replicas {
                let url = replica.address.url();
                let latest = self.get(&url, "com.atproto.sync.getLatestCommit", &[("did", &did)]).await;
                let there = (latest["rev"].as_str().unwrap(), latest["cid"].as_str().unwrap());
                if there != (&told.rev, &told.commit.unwrap().to_string()) {
                    return Some((did, latest));
                }
            }
        }
        None
    }

    async fn get(&self, url: &str, method: &str, query: &[(&str, &str)]) -> Value {
        let answer = self.http.get(format!("{url}/xrpc/{method}")).query(query).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{method}: {}", self.logs());
        answer.json().await.unwrap()
    }

    async fn exported(&self, url: &str, did: &str) -> Vec<u8> {
        let url = format!("{url}/xrpc/com.atproto.sync.getRepo?did={did}");
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "the export of {did}: {}", self.logs());
        answer.bytes().await.unwrap().to_vec()
    }

    /// The records as listRecords has them. Every blob that one of them refers to is there.
    async fn listed(&self, url: &str, did: &str) -> BTreeMap<String, Cid> {
        let (mut records, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let query = [("repo", did), ("collection", "com.example.thing"), ("limit", "100"), ("cursor", &cursor)];
            let given = if cursor.is_empty() { &query[..3] } else { &query[..] };
            let page = self.get(url, "com.atproto.repo.listRecords", given).await;
            for record in page["records"].as_array().unwrap() {
                let uri = record["uri"].as_str().unwrap();
                let path = uri.strip_prefix(&format!("at://{did}/")).unwrap().to_owned();
                records.insert(path, record["cid"].as_str().unwrap().parse().unwrap());
                if let Some(blob) = record["value"]["blob"]["ref"]["$link"].as_str() {
                    let found = self.http.get(format!("{url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={blob}"));
                    let bytes = found.send().await.unwrap().bytes().await.unwrap();
                    assert_eq!(Cid::raw(&bytes).to_string(), blob, "a blob of {uri}");
                }
            }
            match page["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return records,
            }
        }
    }
}

impl Drop for Site {
    /// What processes left behind is kept if it is needed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for replica in &mut self.replicas {
                replica.folder.disable_cleanup(true);
            }
        }
    }
}

async fn sign_up(http: &reqwest::Client, url: &str, n: usize) -> Account {
    let name = format!("crash{n}-{}", uuid::Uuid::new_v4().simple().to_string().split_at(8).0);
    let input =
        json!({"handle": format!("{name}.test"), "email": format!("{name}@example.com"), "password": "correct horse"});
    let call = http.post(format!("{url}/xrpc/com.atproto.server.createAccount")).json(&input);
    let session: Value = call.send().await.unwrap().json().await.unwrap();
    let text = |field: &str| session[field].as_str().unwrap_or_else(|| panic!("{field} in {session}")).to_owned();
    Account { did: text("did"), access: text("accessJwt") }
}

async fn signing_key(http: &reqwest::Client, directory: &str, did: &str) -> PublicKey {
    let document: Value = http.get(format!("{directory}/{did}")).send().await.unwrap().json().await.unwrap();
    let method = &document["verificationMethod"][0];
    let text = |field: &str| method[field].as_str().unwrap_or_else(|| panic!("{field} in {document}"));
    PublicKey::from_verification_method(text("type"), text("publicKeyMultibase")).unwrap()
}
