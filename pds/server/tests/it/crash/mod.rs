//! Processes are killed with SIGKILL while people write, again and again: nothing acknowledged is lost, nothing is told that did not
//! happen, nothing twice, and the stream is what the repositories hold.
//!
//! `make test` kills a few times; `e2e/crash` as often as it is asked to, with the seed it is given.

mod audit;
mod cut_off;
mod follower;
mod ledger;
mod load;
mod postgres;
mod replica;
mod site;

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use crate::command::SECRETS;
use postgres::Postgres;
use replica::{Replica, migrate};
use site::Site;

/// Of so many kills, one is followed by the check that reads everything.
const WHOLE: usize = 10;

/// How often to kill, and where the chances come from.
struct Plan {
    kills: usize,
    seed: u64,
    random: StdRng,
    began: Instant,
}

impl Plan {
    fn new(kills: usize) -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let kills = number("AURORA_CRASH_KILLS").map_or(kills, |kills| usize::try_from(kills).unwrap());
        let seed = number("AURORA_CRASH_SEED").unwrap_or_else(rand::random);
        let plan = Self { kills, seed, random: StdRng::seed_from_u64(seed), began: Instant::now() };
        plan.say(&format!("{kills} kills with AURORA_CRASH_SEED={seed}"));
        plan
    }

    #[expect(clippy::print_stderr, reason = "what a failed test shows, and the progress of a long run")]
    fn say(&self, what: &str) {
        eprintln!("{:6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    fn told(&self, kill: usize, victim: &str, site: &Site) {
        let (acknowledged, events) = (site.ledger.acknowledged(), site.audit.last());
        self.say(&format!("kill {kill}: {victim}; {acknowledged} acknowledged writes, {events} events"));
    }

    /// Up to so many milliseconds.
    fn a_moment(&mut self, ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(0..ms))
    }
}

fn directory() -> String {
    std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL is not set: run `make test`")
}

fn variables(own: &[(&str, &str)]) -> Vec<(String, String)> {
    let directory = directory();
    let all = [
        ("PDS_DID_PLC_URL", directory.as_str()),
        ("PDS_INVITE_REQUIRED", "false"),
        ("PDS_RATE_LIMITS_ENABLED", "false"),
        ("RUST_LOG", "warn"),
    ];
    all.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_kill_loses_nothing_and_adds_nothing() {
    // AL-SYN-5, AL-SYN-7, AL-STO-1
    let mut plan = Plan::new(6);
    let mut pds = Replica::new(variables(&[]));
    // A third of the kills fall into the first starts, on an empty folder.
    let early = plan.kills.div_ceil(3);
    for _ in 0..early {
        pds.spawn();
        sleep(plan.a_moment(1_000)).await;
        pds.kill();
    }
    pds.spawn();
    pds.process().ready().await;
    let mut site = Site::open(vec![pds], &directory(), plan.seed).await;
    for kill in early + 1..=plan.kills {
        site.progress(10).await;
        sleep(plan.a_moment(700)).await;
        let pds = &mut site.replicas[0];
        pds.kill();
        pds.spawn();
        plan.told(kill, "the server", &site);
        // Some do not live until they serve.
        if plan.random.random_ratio(1, 5) {
            continue;
        }
        site.replicas[0].process().ready().await;
        site.check(kill == plan.kills || kill % WHOLE == 0).await;
    }
    site.replicas[0].process().ready().await;
    site.check(true).await;
    plan.told(plan.kills, "all done", &site);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_kill_of_a_replica_or_of_the_database_loses_nothing_and_adds_nothing() {
    // AL-SYN-5, AL-SYN-7
    let mut plan = Plan::new(4);
    let mut postgres = Postgres::start();
    let blobs = tempfile::tempdir().unwrap();
    let url = postgres.url();
    let own = [("PDS_DATABASE_URL", url.as_str()), ("PDS_BLOBSTORE_DISK_LOCATION", blobs.path().to_str().unwrap())];
    let own = variables(&[&own[..], &SECRETS].concat());
    let mut replicas = vec![Replica::new(own.clone()), Replica::new(own)];
    migrate(replicas[0].folder.path(), &[("PDS_DATABASE_URL", &url)]);
    for replica in &mut replicas {
        replica.spawn();
        replica.process().ready().await;
    }
    let mut site = Site::open(replicas, &directory(), plan.seed).await;
    for kill in 1..=plan.kills {
        site.progress(20).await;
        sleep(plan.a_moment(700)).await;
        // In turn: each replica, the database, one replica with the database.
        let (replica, database) = [(Some(0), false), (None, true), (Some(1), false), (Some(kill % 2), true)][kill % 4];
        if let Some(replica) = replica {
            site.replicas[replica].kill();
        }
        if database {
            postgres.crash();
        }
        if let Some(replica) = replica {
            site.replicas[replica].spawn();
            // Some do not live until they serve.
            if plan.random.random_ratio(1, 5) {
                sleep(plan.a_moment(500)).await;
                site.replicas[replica].kill();
                site.replicas[replica].spawn();
            }
        }
        plan.told(kill, &format!("replica {replica:?}, database {database}"), &site);
        for replica in &site.replicas {
            replica.process().ready().await;
        }
        site.check(kill == plan.kills || kill % WHOLE == 0).await;
    }
    plan.told(plan.kills, "all done", &site);
}
