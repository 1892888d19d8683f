//! What a PDS is filled with before it is measured. Everything is made once and goes on being used.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::{Call, Client};

pub(crate) const POST: &str = "app.bsky.feed.post";
pub(crate) const PASSWORD: &str = "correct horse";
/// Most writes that one `applyWrites` takes.
pub(crate) const MOST_WRITES: usize = 200;

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) did: String,
    pub(crate) handle: String,
    pub(crate) token: String,
}

/// An account with records, whose keys are known.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    pub(crate) account: Account,
    pub(crate) rkeys: Arc<Vec<String>>,
}

/// What one PDS holds.
#[derive(Default)]
pub(crate) struct Fixture {
    writers: Vec<Account>,
    /// By number of records.
    filled: BTreeMap<usize, Vec<Filled>>,
    /// Path and query of a `getBlob`, by size.
    blobs: BTreeMap<usize, String>,
    serial: Arc<AtomicU64>,
}

impl Fixture {
    /// Numbers that are not given twice, so that no two records, blobs or accounts are equal.
    pub(crate) fn serial(&self) -> Arc<AtomicU64> {
        self.serial.clone()
    }

    /// Accounts that may be written to.
    pub(crate) async fn writers(&mut self, address: SocketAddr, count: usize) -> Result<Vec<Account>> {
        let missing = count.saturating_sub(self.writers.len());
        self.writers.extend(self.sign_up(address, missing).await?);
        Ok(self.writers[..count].to_vec())
    }

    /// Accounts with exactly so many records, which nobody writes to.
    pub(crate) async fn filled(&mut self, address: SocketAddr, records: usize, count: usize) -> Result<Vec<Filled>> {
        let missing = count.saturating_sub(self.filled.get(&records).map_or(0, Vec::len));
        for account in self.sign_up(address, missing).await? {
            let rkeys = Arc::new(self.fill(address, &account, records).await?);
            self.filled.entry(records).or_default().push(Filled { account, rkeys });
        }
        Ok(self.filled[&records][..count].to_vec())
    }

    /// The path of a blob of that size.
    pub(crate) async fn blob(&mut self, address: SocketAddr, bytes: usize) -> Result<String> {
        if let Some(path) = self.blobs.get(&bytes) {
            return Ok(path.clone());
        }
        let account = self.sign_up(address, 1).await?.remove(0);
        let mut client = Client::connect(address).await?;
        let blob = client.json(upload(&account, bytes, 0)).await?["blob"].take();
        let cid = blob["ref"]["$link"].as_str().context("uploadBlob answers no CID")?.to_owned();
        // The collection has no schema here, so nothing is asked of the blob but that it exists.
        let input = json!({
            "repo": account.did, "collection": "com.example.file",
            "record": {"$type": "com.example.file", "file": blob},
        });
        client.send(Call::post("com.atproto.repo.createRecord", Some(&account.token), &input)).await?;
        let path = format!("/xrpc/com.atproto.sync.getBlob?did={}&cid={cid}", account.did);
        self.blobs.insert(bytes, path.clone());
        Ok(path)
    }

    /// So many records more.
    pub(crate) async fn fill(&self, address: SocketAddr, account: &Account, records: usize) -> Result<Vec<String>> {
        let mut client = Client::connect(address).await?;
        let mut rkeys = Vec::with_capacity(records);
        while rkeys.len() < records {
            let count = MOST_WRITES.min(records - rkeys.len());
            let answer = client.json(apply_writes(account, count, &self.serial)).await?;
            let results = answer["results"].as_array().context("applyWrites answers no results")?;
            let uris = results.iter().filter_map(|result| result["uri"].as_str()?.rsplit('/').next());
            rkeys.extend(uris.map(str::to_owned));
        }
        Ok(rkeys)
    }

    /// New accounts.
    pub(crate) async fn sign_up(&self, address: SocketAddr, count: usize) -> Result<Vec<Account>> {
        let made = stream::iter(0..count).map(|_| async {
            let answer = Client::connect(address).await?.json(create_account(&self.serial)).await?;
            let text = |name: &str| answer[name].as_str().map(str::to_owned).context("createAccount's answer");
            anyhow::Ok(Account { did: text("did")?, handle: text("handle")?, token: text("accessJwt")? })
        });
        made.buffered(4).try_collect().await
    }
}

pub(crate) fn create_account(serial: &AtomicU64) -> Call {
    let name = format!("bench{}", serial.fetch_add(1, Ordering::Relaxed));
    let input = json!({
        "handle": format!("{name}.test"), "email": format!("{name}@example.com"), "password": PASSWORD,
    });
    Call::post("com.atproto.server.createAccount", None, &input)
}

/// A post of usual size: about 220 bytes as DAG-CBOR.
pub(crate) fn post(serial: &AtomicU64) -> Value {
    let number = serial.fetch_add(1, Ordering::Relaxed);
    let text =
        format!("Post {number}. The quick brown fox jumps over the lazy dog, and over many more of its kind, all day.");
    json!({"$type": POST, "text": text, "langs": ["en"], "createdAt": "2026-01-01T00:00:00.000Z"})
}

/// Without `rkey` the server chooses one.
pub(crate) fn create_record(account: &Account, rkey: Option<&str>, serial: &AtomicU64) -> Call {
    let mut input = json!({"repo": account.did, "collection": POST, "record": post(serial)});
    if let Some(rkey) = rkey {
        input["rkey"] = rkey.into();
    }
    Call::post("com.atproto.repo.createRecord", Some(&account.token), &input)
}

pub(crate) fn apply_writes(account: &Account, count: usize, serial: &AtomicU64) -> Call {
    let create = || json!({"$type": "com.atproto.repo.applyWrites#create", "collection": POST, "value": post(serial)});
    let writes: Vec<_> = (0..count).map(|_| create()).collect();
    let input = json!({"repo": account.did, "writes": writes});
    Call::post("com.atproto.repo.applyWrites", Some(&account.token), &input)
}

/// Blobs of one size differ in their first bytes, by their number.
pub(crate) fn upload(account: &Account, bytes: usize, number: u64) -> Call {
    let mut body = vec![b'x'; bytes];
    body.splice(..16, format!("{number:016}").into_bytes());
    Call {
        path: "/xrpc/com.atproto.repo.uploadBlob".to_owned(),
        content_type: "application/octet-stream",
        body: Bytes::from(body),
        ..Call::post("", Some(&account.token), &Value::Null)
    }
}
