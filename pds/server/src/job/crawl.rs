//! Asks relays to crawl this server: when it starts and after writes, at most every 20 minutes over all replicas.

use std::{sync::Arc, time::Duration};

use pds_store::{Db, event, turn};
use serde_json::json;
use url::Url;

use crate::{clock::Clock, metrics::Metrics, report::chain};

/// The least time between two rounds: the reference's.
const PAUSE_US: i64 = 20 * 60 * 1_000_000;
/// Pause after a relay did not answer, doubled each time, up to [`PAUSE_US`].
const RETRY_US: i64 = 30 * 1_000_000;
/// The longest wait for a relay.
const PATIENCE: Duration = Duration::from_secs(10);

/// What relays are asked with.
#[derive(Clone)]
pub struct Parts {
    /// Events, and the turn that replicas share.
    pub db: Db,
    /// Sends the requests.
    pub client: reqwest::Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts the answers.
    pub metrics: Metrics,
    /// This server's name.
    pub hostname: String,
    /// The relays to ask.
    pub relays: Vec<Url>,
}

/// The requests of this replica.
pub struct Crawl {
    parts: Parts,
    /// The newest event when the last round began; `None` before the first.
    requested_at: Option<i64>,
    /// Relays that have not answered yet.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    relay: Url,
    next_us: i64,
    pause_us: i64,
}

impl Crawl {
    /// With no request made yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, requested_at: None, waiting: Vec::new() }
    }

    /// Begins a round if one is due, and asks the relays that have not answered yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn step(&mut self) -> pds_store::Result<()> {
        let Parts { db, clock, relays, .. } = &self.parts;
        let now = clock.now_us();
        let head = event::head(db).await?;
        if self.requested_at != Some(head) && turn::take(db, "crawl", now, now - PAUSE_US).await? {
            let waiting = |relay: &Url| Waiting { relay: relay.clone(), next_us: now, pause_us: RETRY_US };
            self.waiting = relays.iter().map(waiting).collect();
            self.requested_at = Some(head);
        }
        let mut still_waiting = Vec::new();
        for mut one in self.waiting.drain(..) {
            if one.next_us <= now && self.parts.ask(&one.relay).await {
                continue;
            }
            if one.next_us <= now {
                one.next_us = now + one.pause_us;
                one.pause_us = PAUSE_US.min(one.pause_us * 2);
            }
            still_waiting.push(one);
        }
        self.waiting = still_waiting;
        Ok(())
    }
}

impl Parts {
    /// Asks one relay. Returns whether it answered.
    async fn ask(&self, relay: &Url) -> bool {
        let hostname = &self.hostname;
        let url = format!("{}/xrpc/com.atproto.sync.requestCrawl", relay.as_str().trim_end_matches('/'));
        let request = self.client.post(url).timeout(PATIENCE).json(&json!({"hostname": hostname}));
        let (answered, reason) = match request.send().await {
            Ok(answer) if answer.status().is_success() => (true, None),
            Ok(answer) => (false, Some(answer.status().to_string())),
            Err(error) => (false, Some(chain(&error))),
        };
        self.metrics.crawl_requested(answered.then(|| self.clock.now_s()));
        match reason {
            None => tracing::info!(%relay, "asked {relay} to crawl {hostname}"),
            Some(reason) => {
                tracing::warn!(%relay, reason, "{relay} did not accept the request to crawl {hostname}: {reason}")
            }
        }
        answered
    }
}
