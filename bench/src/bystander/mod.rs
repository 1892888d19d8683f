//! One well-behaved writer and one well-behaved reader, alone and beside each abuse.
//!
//! Each row is measured on a process that was just started: a phase alone, a phase beside the abuse, and a phase alone again, so that a machine that
//! became slower or faster meanwhile shows.

mod abuse;
mod crowd;
mod repository;
mod table;
mod witness;

use std::io::{Write, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::client::{Call, Client};
use crate::fixture::{Account, Fixture};
use crate::target::Target;
use crowd::Crowd;
use repository::Repository;
use table::Row;
use witness::{Observed, Witness};

/// Before the first phase, not measured: caches and connections get warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// After the abuse: connections end, what was begun is finished.
const SETTLE: Duration = Duration::from_secs(3);
/// An import is watched to its end, at most so long.
const LONGEST: Duration = Duration::from_secs(600);
/// Records of the account that the reader reads.
const READ_RECORDS: usize = 200;
/// Records of the second large repository in percent of the first one's: both together are more than the server keeps in memory.
const SECOND: usize = 40;
/// The largest pages: so many records of so many characters.
const PAGE: (usize, usize) = (100, 1_000_000);
/// Their collection, which has no schema: a text may be as long as the data model lets it.
const NOTE: &str = "com.example.note";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Abuse {
    /// An account brings a repository of a million records, watched until it is answered
    Import,
    /// 8 loops of proofs from two large repositories that do not fit into memory together, on a process that has just been started
    ColdProofs,
    /// 48 exports of a large repository at 20 kB/s
    SlowExports,
    /// 20 readers more each second that ask for pages of 100 MB and read nothing
    SilentReaders,
    /// 400 logins a second with wrong passwords, for 20 accounts
    LoginFlood,
    /// 200 uploads of 20 accounts, at a byte a second or at 9 KiB a second
    DrippingUploads,
    /// 1,000 followers of the firehose that read nothing, half of them from the first event on
    SilentFollowers,
    /// 200 takedowns and reinstatements a second
    TakedownStorm,
}

/// How long, and how large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Of each phase alone; the one beside the abuse is twice as long.
    pub(crate) length: Duration,
    /// Records of a large repository.
    pub(crate) records: usize,
}

/// A target, with what the abuses need there.
struct Ground<'a> {
    target: &'a mut Target,
    fixture: &'a mut Fixture,
    /// Accounts with large repositories, with the number of their records.
    large: Vec<(Account, usize)>,
    bystander: Option<Witness>,
}

/// Measures every abuse on all targets; answers a table. The folder keeps the repositories that are imported.
pub(crate) async fn run(
    abuses: &[Abuse],
    targets: Vec<(&mut Target, &mut Fixture)>,
    folder: &Path,
    extent: Extent,
) -> Result<String> {
    let file = |records: usize| {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || Repository::make(&folder, records))
    };
    let repositories = [file(extent.records).await??, file(extent.records * SECOND / 100).await??];
    let ground = |(target, fixture)| Ground { target, fixture, large: Vec::new(), bystander: None };
    let mut grounds: Vec<_> = targets.into_iter().map(ground).collect();
    let mut rows = Vec::new();
    for abuse in abuses {
        for ground in &mut grounds {
            let what = format!("{} on {}", abuse.name(), ground.target.kind.name());
            let row = ground.measure(*abuse, &repositories, extent.length).await.context(what)?;
            let text = table::markdown(std::slice::from_ref(&row));
            writeln!(stderr(), "{}: {}\n{text}", abuse.name(), abuse.what())?;
            rows.push(row);
        }
    }
    Ok(table::markdown(&rows))
}

impl Abuse {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn what(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}

/// Starts the abuse.
type Begin = Box<dyn FnOnce(&mut Crowd) + Send>;

impl Ground<'_> {
    async fn measure(&mut self, abuse: Abuse, repositories: &[Repository; 2], length: Duration) -> Result<Row> {
        let (witness, begin) = (self.witness().await?, self.prepare(abuse, repositories, length).await?);
        self.target.restart().await?;
        let witness = Witness { address: self.target.address, ..witness };
        alone(&witness, WARM_UP).await?;
        let before = alone(&witness, length).await?;

        self.target.forget_peak()?;
        let (began, cpu) = (Instant::now(), self.target.cpu()?);
        let mut crowd = Crowd::new(self.target.address);
        let watch = witness.watch();
        begin(&mut crowd);
        match abuse {
            Abuse::Import => {
                timeout(LONGEST, crowd.tasks.join_next()).await.context("the import is not answered")?;
            }
            _ => sleep(length * 2).await,
        }
        let beside = watch.end().await?;
        let (elapsed, cpu_after) = (began.elapsed().as_secs_f64(), self.target.cpu()?);
        let rss_mb = self.target.peak_rss_mb()?;
        let answers = crowd.answers.text();
        drop(crowd);

        sleep(SETTLE).await;
        let after = alone(&witness, length).await?;
        let busy = |before: Duration, after: Duration| (after - before).as_secs_f64() / elapsed;
        let cores =
            [busy(cpu.pds, cpu_after.pds), busy(cpu.storage, cpu_after.storage), busy(cpu.driver, cpu_after.driver)];
        let answers = if abuse == Abuse::Import { format!("{answers} after {elapsed:.0} s") } else { answers };
        Ok(Row { abuse: abuse.name(), kind: self.target.kind, before, beside, after, rss_mb, cores, answers })
    }

    async fn witness(&mut self) -> Result<Witness> {
        if let Some(witness) = &self.bystander {
            return Ok(witness.clone());
        }
        let address = self.target.address;
        let writer = self.fixture.writers(address, 1).await?.remove(0);
        let read = self.fixture.filled(address, READ_RECORDS, 1).await?.remove(0);
        let witness = Witness { address, writer, read, serial: self.fixture.serial() };
        Ok(self.bystander.insert(witness).clone())
    }

    /// Makes what the abuse needs.
    async fn prepare(&mut self, abuse: Abuse, repositories: &[Repository; 2], length: Duration) -> Result<Begin> {
        let address = self.target.address;
        Ok(match abuse {
            Abuse::Import => {
                let (account, repository) = (self.sign_up(1).await?.remove(0), repositories[0].clone());
                self.large.insert(0, (account.clone(), repository.records));
                Box::new(move |crowd| abuse::import(crowd, account, repository))
            }
            Abuse::ColdProofs => {
                self.have_large(repositories).await?;
                let large = self.large.clone();
                Box::new(move |crowd| abuse::cold_proofs(crowd, &large))
            }
            Abuse::SlowExports => {
                self.have_large(&repositories[..1]).await?;
                let did = self.large[0].0.did.clone();
                Box::new(move |crowd| abuse::slow_exports(crowd, &did))
            }
            Abuse::SilentReaders => {
                let account = self.sign_up(1).await?.remove(0);
                let mut client = Client::connect(address).await?;
                for number in 0..PAGE.0 {
                    let text = format!("{number} {}", "x".repeat(PAGE.1));
                    let record = json!({"$type": NOTE, "text": text});
                    let input = json!({"repo": account.did, "collection": NOTE, "record": record});
                    client.send(Call::post("com.atproto.repo.createRecord", Some(&account.token), &input)).await?;
                }
                let path = format!(
                    "/xrpc/com.atproto.repo.listRecords?repo={}&collection={NOTE}&limit={}",
                    account.did, PAGE.0
                );
                Box::new(move |crowd| abuse::silent_readers(crowd, &path, length * 2))
            }
            Abuse::LoginFlood => {
                let accounts = self.sign_up(20).await?;
                Box::new(move |crowd| abuse::login_flood(crowd, &accounts))
            }
            Abuse::DrippingUploads => {
                let accounts = self.sign_up(20).await?;
                Box::new(move |crowd| abuse::dripping_uploads(crowd, &accounts))
            }
            Abuse::SilentFollowers => Box::new(abuse::silent_followers),
            Abuse::TakedownStorm => {
                let accounts = self.sign_up(40).await?;
                Box::new(move |crowd| abuse::takedown_storm(crowd, &accounts))
            }
        })
    }

    async fn sign_up(&self, count: usize) -> Result<Vec<Account>> {
        self.fixture.sign_up(self.target.address, count).await
    }

    /// Imports those of the repositories that are not here yet.
    async fn have_large(&mut self, repositories: &[Repository]) -> Result<()> {
        for repository in repositories {
            if self.large.iter().any(|(_, records)| *records == repository.records) {
                continue;
            }
            let account = self.sign_up(1).await?.remove(0);
            let answer = abuse::imported(self.target.address, account.clone(), repository.clone()).await;
            ensure!(answer == "200 × 1", "the import of {} records was answered {answer}", repository.records);
            self.large.push((account, repository.records));
        }
        Ok(())
    }
}

async fn alone(witness: &Witness, length: Duration) -> Result<Observed> {
    let watch = witness.watch();
    sleep(length).await;
    watch.end().await
}
