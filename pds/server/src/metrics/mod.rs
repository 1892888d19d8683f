//! The content of `/metrics`. Names and labels are those of the operations guide; no label contains a DID, a handle or an address.

mod label;
mod mail;
mod observation;
mod storage;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use label::{Called, Connections, Held, Job, Outcome, Reason, Refusal, Request, Run, Use};
use mail::Mails;
use observation::Observation;
pub use storage::Volume;
use storage::{Reading, Storage};

/// The server's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Request, Histogram, fn() -> Histogram>,
    auth_failures: Family<Reason, Counter>,
    rate_limited: Family<Refusal, Counter>,
    redis_up: Family<Use, Gauge>,
    redis_failures: Family<Use, Counter>,
    jobs: Family<Run, Counter>,
    job_durations: Family<Job, Histogram, fn() -> Histogram>,
    job_successes: Family<Job, Gauge>,
    connections: Family<Connections, Gauge>,
    accounts: Gauge,
    commits: Counter,
    blob_uploads: Counter,
    blobs_lost: Counter,
    blobs_missing: Gauge,
    blobs_not_deleted: Counter,
    subscribers: Gauge,
    commits_waiting: Gauge,
    loads_waiting: Gauge,
    client_bytes: Family<Held, Gauge>,
    followers_reading: Gauge,
    event_head: Gauge,
    db_wait_seconds: Counter<f64, AtomicU64>,
    db_waits: Counter,
    open_connections: Gauge,
    crawl_requests: Family<Outcome, Counter>,
    crawl_success: Reading,
    lexicons: Family<Outcome, Counter>,
    calls: Family<Called, Counter>,
    calls_under_way: Gauge,
    storage: Storage,
    mails: Mails,
    observation: Observation,
}

fn seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aurora");
        let durations: Family<Request, Histogram, fn() -> Histogram> = Family::new_with_constructor(seconds);
        let mut families = Families {
            registry: Registry::default(),
            requests: Family::default(),
            durations,
            auth_failures: Family::default(),
            rate_limited: Family::default(),
            redis_up: Family::default(),
            redis_failures: Family::default(),
            jobs: Family::default(),
            job_durations: Family::new_with_constructor(seconds),
            job_successes: Family::default(),
            connections: Family::default(),
            accounts: Gauge::default(),
            commits: Counter::default(),
            blob_uploads: Counter::default(),
            blobs_lost: Counter::default(),
            blobs_missing: Gauge::default(),
            blobs_not_deleted: Counter::default(),
            subscribers: Gauge::default(),
            commits_waiting: Gauge::default(),
            loads_waiting: Gauge::default(),
            client_bytes: Family::default(),
            followers_reading: Gauge::default(),
            event_head: Gauge::default(),
            db_wait_seconds: Counter::default(),
            db_waits: Counter::default(),
            open_connections: Gauge::default(),
            crawl_requests: Family::default(),
            crawl_success: Reading::default(),
            lexicons: Family::default(),
            calls: Family::default(),
            calls_under_way: Gauge::default(),
            storage: Storage::default(),
            mails: Mails::default(),
            observation: Observation::default(),
        };
        registry.register("http_requests", "HTTP requests answered", families.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time until the answer's head was ready",
            families.durations.clone(),
        );
        registry.register("auth_failures", "Refused credentials", families.auth_failures.clone());
        registry.register("rate_limited", "Requests beyond a limit", families.rate_limited.clone());
        registry.register("redis_up", "Whether Redis can be reached; absent without Redis", families.redis_up.clone());
        registry.register("redis_failures", "Commands that Redis did not answer", families.redis_failures.clone());
        registry.register("job_runs", "Runs of background jobs", families.jobs.clone());
        registry.register(
            "job_duration_seconds",
            "How long runs of background jobs took",
            families.job_durations.clone(),
        );
        registry.register(
            "job_last_success_timestamp_seconds",
            "When each background job last succeeded, on any replica if one runs it for all",
            families.job_successes.clone(),
        );
        registry.register("db_connections", "Connections to the database", families.connections.clone());
        registry.register("accounts", "Accounts on this instance", families.accounts.clone());
        registry.register("repo_commits", "Commits acknowledged by this replica", families.commits.clone());
        registry.register("blob_uploads", "Blobs uploaded to this replica", families.blob_uploads.clone());
        registry.register(
            "blobs_found_lost",
            "Blobs whose object this replica found to be gone from the blob store",
            families.blobs_lost.clone(),
        );
        registry.register(
            "blobs_lost",
            "Blobs whose object is known to be gone and has not been uploaded again, of all accounts",
            families.blobs_missing.clone(),
        );
        registry.register(
            "blob_sweep_failures",
            "Blobs and objects that a sweep could not delete and left to the next one",
            families.blobs_not_deleted.clone(),
        );
        registry.register("firehose_subscribers", "Open subscriptions to the firehose", families.subscribers.clone());
        registry.register("commits_waiting", "Commits that wait to be stored", families.commits_waiting.clone());
        registry.register(
            "repository_loads_waiting",
            "Readers that wait for their turn to load a repository",
            families.loads_waiting.clone(),
        );
        let help =
            "Memory of inputs that are not yet complete or not yet answered, and of answers that are not yet taken";
        registry.register("client_memory_bytes", help, families.client_bytes.clone());
        registry.register(
            "firehose_backfills",
            "Followers of the firehose that read earlier events from the database",
            families.followers_reading.clone(),
        );
        registry.register("event_head", "Number of the newest event in the database", families.event_head.clone());
        registry.register(
            "db_wait_seconds",
            "How long statements waited for a connection to the database",
            families.db_wait_seconds.clone(),
        );
        registry.register(
            "db_waits",
            "Statements that asked for a connection to the database",
            families.db_waits.clone(),
        );
        registry.register("http_connections", "Open connections of the public port", families.open_connections.clone());
        registry.register("lexicon_lookups", "Lexicons of others that were looked up", families.lexicons.clone());
        registry.register("crawl_requests", "Requests to relays to crawl this server", families.crawl_requests.clone());
        registry.register(
            "crawl_last_success_timestamp_seconds",
            "When a relay last took a request to crawl this server; absent before",
            families.crawl_success.clone(),
        );
        registry.register("upstream_calls", "Calls to other services, by how they ended", families.calls.clone());
        registry.register(
            "upstream_calls_under_way",
            "Calls to other services that are not complete",
            families.calls_under_way.clone(),
        );
        families.storage.register(&mut registry);
        families.mails.register(&mut registry);
        families.observation.register(&mut registry);
        families.registry = registry;
        Self(Arc::new(families))
    }
}

impl Metrics {
    /// A request was answered. `route` is a method's NSID or a pattern, never a raw path.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = Request { method, route: route.to_owned(), status };
        self.0.durations.get_or_create(&labels).observe(took.as_secs_f64());
        self.0.requests.get_or_create(&labels).inc();
    }

    /// A credential was refused.
    pub fn auth_failed(&self, reason: &'static str) {
        self.0.auth_failures.get_or_create(&Reason { reason }).inc();
    }

    /// A request was beyond a limit.
    pub fn rate_limited(&self, tier: &'static str, limit: &'static str) {
        self.0.rate_limited.get_or_create(&Refusal { tier, limit }).inc();
    }

    /// Sets what is read at scrape time, where there is Redis.
    pub fn set_redis(&self, up: bool, failures: u64) {
        let used_for = Use { used_for: "rate_limits" };
        self.0.redis_up.get_or_create(&used_for).set(up.into());
        self.0.redis_failures.get_or_create(&used_for).inner().store(failures, Ordering::Relaxed);
    }

    /// A job ran on this replica; `succeeded_at` is in seconds since 1970.
    pub fn job_ran(&self, job: &'static str, result: &'static str, took: Duration, succeeded_at: Option<i64>) {
        self.0.jobs.get_or_create(&Run { job, result }).inc();
        self.0.job_durations.get_or_create(&Job { job }).observe(took.as_secs_f64());
        if let Some(at) = succeeded_at {
            self.job_succeeded(job, at);
        }
    }

    /// When a job last succeeded on any replica; seconds since 1970.
    pub fn job_succeeded(&self, job: &'static str, at: i64) {
        self.0.job_successes.get_or_create(&Job { job }).set(at);
    }

    /// The blob store was asked whether it takes requests; `succeeded_at` is in seconds since 1970.
    pub fn blob_store_asked(&self, succeeded_at: Option<i64>) {
        self.0.storage.blob_store_asked(succeeded_at);
    }

    /// A lexicon of others was looked up.
    pub fn lexicon_looked_up(&self, result: &'static str) {
        self.0.lexicons.get_or_create(&Outcome { result }).inc();
    }

    /// A relay was asked to crawl this server; `succeeded_at` is in seconds since 1970.
    pub fn crawl_requested(&self, succeeded_at: Option<i64>) {
        let result = if succeeded_at.is_some() { "success" } else { "failure" };
        self.0.crawl_requests.get_or_create(&Outcome { result }).inc();
        if let Some(at) = succeeded_at {
            self.0.crawl_success.set(at);
        }
    }

    /// A mail was queued.
    pub fn mail_queued(&self, kind: &'static str) {
        self.0.mails.queued(kind);
    }

    /// The SMTP server took a mail.
    pub fn mail_sent(&self, kind: &'static str) {
        self.0.mails.sent(kind);
    }

    /// An attempt to send a mail failed.
    pub fn mail_failed(&self, kind: &'static str, reason: &'static str) {
        self.0.mails.failed(kind, reason);
    }

    /// Sets what is read at scrape time: how many mails wait, and since when; seconds since 1970.
    pub fn set_mails_waiting(&self, count: u64, oldest: Option<i64>) {
        self.0.mails.set_waiting(count, oldest);
    }

    /// Another service was called; `service` says who has chosen it.
    pub fn called(&self, service: &'static str, result: &'static str) {
        self.0.calls.get_or_create(&Called { service, result }).inc();
    }

    /// Sets what is read at scrape time: calls to other services that are not complete.
    pub fn set_calls_under_way(&self, count: usize) {
        self.0.calls_under_way.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A commit was acknowledged.
    pub fn committed(&self) {
        self.0.commits.inc();
    }

    /// A blob was uploaded.
    pub fn blob_uploaded(&self) {
        self.0.blob_uploads.inc();
    }

    /// The object of a blob turned out to be gone.
    pub fn blob_lost(&self) {
        self.0.blobs_lost.inc();
    }

    /// Sets what is read at scrape time: how many blobs are lost.
    pub fn set_lost_blobs(&self, count: i64) {
        self.0.blobs_missing.set(count);
    }

    /// A sweep could not delete something.
    pub fn blob_not_deleted(&self) {
        self.0.blobs_not_deleted.inc();
    }

    /// A subscription begins; it ends when the guard is dropped.
    pub fn subscribed(&self) -> Subscribed {
        self.0.subscribers.inc();
        Subscribed(self.0.subscribers.clone())
    }

    /// Sets what is read at scrape time: connections open, idle, and allowed at most; accounts.
    pub fn set_gauges(&self, connections: (u32, usize), max_connections: u32, accounts: Option<i64>) {
        self.0.connections.get_or_create(&Connections { state: "max" }).set(max_connections.into());
        let (open, idle) = (i64::from(connections.0), i64::try_from(connections.1).unwrap_or(i64::MAX));
        self.0.connections.get_or_create(&Connections { state: "active" }).set((open - idle).max(0));
        self.0.connections.get_or_create(&Connections { state: "idle" }).set(idle);
        if let Some(accounts) = accounts {
            self.0.accounts.set(accounts);
        }
    }

    /// Sets what is read at scrape time: commits that wait, the newest event, waits for the database, connections of clients.
    pub fn set_queues(&self, commits: usize, head: Option<i64>, db_waits: (Duration, u64), connections: usize) {
        self.0.commits_waiting.set(i64::try_from(commits).unwrap_or(i64::MAX));
        if let Some(head) = head {
            self.0.event_head.set(head);
        }
        self.0.db_wait_seconds.inner().store(db_waits.0.as_secs_f64().to_bits(), Ordering::Relaxed);
        self.0.db_waits.inner().store(db_waits.1, Ordering::Relaxed);
        self.0.open_connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    /// Sets what is read at scrape time: slow statements since the start.
    pub fn set_slow_queries(&self, count: u64) {
        self.0.observation.set_slow_queries(count);
    }

    /// Sets what is read at scrape time: batches of spans that the collector has taken, and those that it has not.
    pub fn set_trace_exports(&self, (taken, failed): (u64, u64)) {
        self.0.observation.set_trace_exports(taken, failed);
    }

    /// Sets what is read at scrape time: readers that wait for their turn to load a repository.
    pub fn set_loads_waiting(&self, count: usize) {
        self.0.loads_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets what is read at scrape time: the memory of inputs and of answers, and the followers that read earlier events.
    pub fn set_held(&self, input_bytes: usize, answer_bytes: usize, followers_reading: usize) {
        for (of, bytes) in [("inputs", input_bytes), ("answers", answer_bytes)] {
            self.0.client_bytes.get_or_create(&Held { of }).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        self.0.followers_reading.set(i64::try_from(followers_reading).unwrap_or(i64::MAX));
    }

    /// Sets what is read at scrape time: whether the database's volume is full, the size of a database on a server, and the volume of the
    /// data directory where that matters.
    pub fn set_storage(&self, database_full: bool, database_bytes: Option<i64>, data_volume: Option<Volume>) {
        self.0.storage.set_database_full(database_full);
        if let Some(bytes) = database_bytes {
            self.0.storage.set_database_size(bytes);
        }
        if let Some(volume) = data_volume {
            self.0.storage.set_data_volume(volume);
        }
    }

    /// All metrics as OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

/// An open subscription, counted.
#[derive(Debug)]
pub struct Subscribed(Gauge);

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
