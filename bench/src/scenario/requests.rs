//! The calls of the scenarios that are one method in a closed loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use serde_json::json;

use super::load::Calls;
use crate::client::{Call, Client};
use crate::fixture::{self, Account, Filled, Fixture, PASSWORD, POST};

/// Records of the accounts that `getRecord` and `listRecords` read.
const READ_RECORDS: usize = 200;

/// How the workers of a loop call one method.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    /// Every worker in a repository of its own.
    CreateRecord,
    /// All workers in one repository.
    CreateRecordInOne,
    ApplyWrites(usize),
    GetRecord,
    ListRecords,
    GetRepo(usize),
    GetBlob(usize),
    UploadBlob(usize),
    CreateSession,
    CreateAccount,
    /// Every worker with its own account, as the others below.
    ProxiedRead,
    ReadAfterWrite,
    GetServiceAuth,
    GetPreferences,
}

impl Method {
    /// Fills the PDS with what the calls need.
    pub(super) async fn calls(self, fixture: &mut Fixture, address: SocketAddr, workers: usize) -> Result<Calls> {
        let serial = fixture.serial();
        Ok(match self {
            Self::CreateRecord => by_writer(fixture.writers(address, workers).await?, serial, |account, serial| {
                fixture::create_record(account, None, serial)
            }),
            Self::CreateRecordInOne => {
                let account = fixture.writers(address, 1).await?.remove(0);
                Arc::new(move |_| fixture::create_record(&account, None, &serial))
            }
            Self::ApplyWrites(count) => {
                by_writer(fixture.writers(address, workers).await?, serial, move |account, serial| {
                    fixture::apply_writes(account, count, serial)
                })
            }
            Self::UploadBlob(bytes) => {
                by_writer(fixture.writers(address, workers).await?, serial, move |account, serial| {
                    fixture::upload(account, bytes, serial.fetch_add(1, Ordering::Relaxed))
                })
            }
            Self::CreateSession => {
                by_writer(fixture.writers(address, workers).await?, serial, |account, _| create_session(account))
            }
            Self::CreateAccount => Arc::new(move |_| fixture::create_account(&serial)),
            Self::ProxiedRead => {
                by_reader(fixture.writers(address, workers).await?, |_| "app.bsky.feed.getListFeed?limit=50".to_owned())
            }
            Self::GetServiceAuth => by_reader(fixture.writers(address, workers).await?, |_| {
                "com.atproto.server.getServiceAuth?aud=did:web:video.example.com&lxm=com.atproto.repo.uploadBlob"
                    .to_owned()
            }),
            Self::ReadAfterWrite => {
                let mut behind = Vec::new();
                for account in fixture.sign_up(address, workers).await? {
                    let mut client = Client::connect(address).await?;
                    let seen = client.json(fixture::create_record(&account, None, &serial)).await?;
                    let rev = seen["commit"]["rev"].as_str().context("createRecord answers no revision")?.to_owned();
                    client.send(fixture::create_record(&account, None, &serial)).await?;
                    behind.push((account, rev));
                }
                Arc::new(move |worker| {
                    let (account, rev) = &behind[worker];
                    read(account, &format!("app.bsky.feed.getTimeline?limit=50&rev={rev}"))
                })
            }
            Self::GetPreferences => {
                let accounts = fixture.writers(address, workers).await?;
                let preference = |number| json!({"$type": "app.bsky.actor.defs#contentLabelPref", "label": format!("label{number}"), "visibility": "warn"});
                let input = json!({"preferences": (0..10).map(preference).collect::<Vec<_>>()});
                for account in &accounts {
                    let put = Call::post("app.bsky.actor.putPreferences", Some(&account.token), &input);
                    Client::connect(address).await?.send(put).await?;
                }
                by_reader(accounts, |_| "app.bsky.actor.getPreferences".to_owned())
            }
            Self::GetRecord => {
                let filled = fixture.filled(address, READ_RECORDS, workers).await?;
                let next = AtomicUsize::new(0);
                Arc::new(move |worker| get_record(&filled[worker], next.fetch_add(7, Ordering::Relaxed)))
            }
            Self::ListRecords => {
                let filled = fixture.filled(address, READ_RECORDS, workers).await?;
                Arc::new(move |worker| {
                    let did = &filled[worker].account.did;
                    let path = format!("/xrpc/com.atproto.repo.listRecords?repo={did}&collection={POST}&limit=50");
                    Call::get(path)
                })
            }
            Self::GetRepo(records) => {
                let did = fixture.filled(address, records, 1).await?.remove(0).account.did;
                Arc::new(move |_| Call::get(format!("/xrpc/com.atproto.sync.getRepo?did={did}")))
            }
            Self::GetBlob(bytes) => {
                let path = fixture.blob(address, bytes).await?;
                Arc::new(move |_| Call::get(path.clone()))
            }
        })
    }
}

/// Every worker with its own account.
fn by_writer(
    accounts: Vec<Account>,
    serial: Arc<AtomicU64>,
    call: impl Fn(&Account, &AtomicU64) -> Call + Send + Sync + 'static,
) -> Calls {
    Arc::new(move |worker| call(&accounts[worker], &serial))
}

/// Every worker reads as its own account.
fn by_reader(accounts: Vec<Account>, path: impl Fn(&Account) -> String + Send + Sync + 'static) -> Calls {
    Arc::new(move |worker| read(&accounts[worker], &path(&accounts[worker])))
}

fn read(account: &Account, path: &str) -> Call {
    Call { authorization: Some(format!("Bearer {}", account.token)), ..Call::get(format!("/xrpc/{path}")) }
}

fn create_session(account: &Account) -> Call {
    let input = json!({"identifier": account.handle, "password": PASSWORD});
    Call::post("com.atproto.server.createSession", None, &input)
}

fn get_record(filled: &Filled, number: usize) -> Call {
    let (did, rkey) = (&filled.account.did, &filled.rkeys[number % filled.rkeys.len()]);
    Call::get(format!("/xrpc/com.atproto.repo.getRecord?repo={did}&collection={POST}&rkey={rkey}"))
}
