//! Asks relays to crawl this server: when it starts and after writes, at most every 20 minutes over all replicas.

use std::time::Duration;

use pds_store::{event, turn};
use serde_json::json;
use tokio::time::sleep;
use url::Url;

use crate::{app::App, report::chain};

/// How often it is looked whether something was written.
const LOOK: Duration = Duration::from_secs(10);
/// The least time between two rounds: the reference's.
const PAUSE_US: i64 = 20 * 60 * 1_000_000;
/// After a relay did not answer, doubled each time, up to [`PAUSE_US`].
const RETRY_US: i64 = 30 * 1_000_000;
/// The longest wait for a relay.
const PATIENCE: Duration = Duration::from_secs(10);

/// What this replica has told whom.
#[derive(Debug, Default)]
pub struct Crawl {
    /// The newest event when the last round began; none before the first.
    told: Option<i64>,
    /// Relays that have not answered yet.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    relay: Url,
    next_us: i64,
    pause_us: i64,
}

/// Keeps relays informed until the server stops.
pub(super) fn start(app: &App) {
    if app.settings.sync.crawlers.is_empty() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        let mut crawl = Crawl::default();
        loop {
            if let Err(error) = crawl.step(&app).await {
                tracing::warn!(error = chain(&error), "whether relays are to be told could not be found out");
            }
            tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        }
    });
}

impl Crawl {
    /// Begins a round if one is due, and asks the relays that have not answered yet.
    pub async fn step(&mut self, app: &App) -> pds_store::Result<()> {
        let now = app.clock.now_us();
        let head = event::head(&app.db).await?;
        if self.told != Some(head) && turn::take(&app.db, "crawl", now, now - PAUSE_US).await? {
            let relays = app.settings.sync.crawlers.iter().cloned();
            self.waiting = relays.map(|relay| Waiting { relay, next_us: now, pause_us: RETRY_US }).collect();
            self.told = Some(head);
        }
        let mut waiting = Vec::new();
        for mut one in self.waiting.drain(..) {
            if one.next_us <= now && ask(app, &one.relay).await {
                continue;
            }
            if one.next_us <= now {
                one.next_us = now + one.pause_us;
                one.pause_us = PAUSE_US.min(one.pause_us * 2);
            }
            waiting.push(one);
        }
        self.waiting = waiting;
        Ok(())
    }
}

/// Asks one relay; `false` if it is to be asked again.
async fn ask(app: &App, relay: &Url) -> bool {
    let hostname = &app.settings.service.hostname;
    let url = format!("{}/xrpc/com.atproto.sync.requestCrawl", relay.as_str().trim_end_matches('/'));
    let request = app.relays.post(url).timeout(PATIENCE).json(&json!({"hostname": hostname}));
    let (answered, reason) = match request.send().await {
        Ok(answer) if answer.status().is_success() => (true, None),
        Ok(answer) => (false, Some(answer.status().to_string())),
        Err(error) => (false, Some(chain(&error))),
    };
    app.metrics.crawl_requested(answered.then(|| app.clock.now_s()));
    match reason {
        None => tracing::info!(%relay, "asked {relay} to crawl {hostname}"),
        Some(reason) => {
            tracing::warn!(%relay, reason, "{relay} did not take the request to crawl {hostname}: {reason}")
        }
    }
    answered
}
