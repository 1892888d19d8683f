//! `/health` on the metrics port: the state of each part that the server needs, for the host.
//!
//! However many ask, parts are probed once a second at most, and SMTP servers once a minute. Messages are those that the log has too, without secrets.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use pds_config::BlobStore;
use pds_store::Dialect;
use serde_json::{Map, Value, json};
use tokio::{
    sync::{Mutex, Semaphore},
    time::timeout,
};

use crate::{app::App, clock, mail::Kind, report::chain, task::run_to_end};

/// The longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the state of all parts is shared.
const SHARED: Duration = Duration::from_secs(1);
/// How long the state of the SMTP servers is: they limit connections.
const MAIL_SHARED: Duration = Duration::from_secs(60);
/// The part of a volume that must be free, in percent.
const FREE_PERCENT: u64 = 5;
/// Looks at volumes under way: one at most, since each keeps a thread as long as a volume does not answer.
static VOLUMES: Semaphore = Semaphore::const_new(1);

/// The last state of the parts, and since when the server runs.
pub struct Probes {
    began: Instant,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    report: Option<(Instant, Report)>,
    mail: Option<(Instant, Probe)>,
    /// By part: when it last failed, and why.
    errors: HashMap<&'static str, Value>,
}

#[derive(Clone)]
struct Report {
    is_ready: bool,
    checked_at: String,
    is_ok: bool,
    parts: Map<String, Value>,
}

/// The state of a part.
#[derive(Clone, Default)]
struct Probe {
    /// `None`: the host does not use it.
    answer: Option<Result<(), String>>,
    took: Option<Duration>,
    /// What else is known of it.
    detail: Map<String, Value>,
}

impl Probes {
    /// From now on.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now(), last: Arc::default() }
    }
}

impl Default for Probes {
    fn default() -> Self {
        Self::new()
    }
}

/// 200 if the server is ready, else 503, with the state of all parts.
pub async fn health(State(app): State<App>, Extension(probes): Extension<Arc<Probes>>) -> Response {
    let (last, asked) = (probes.last.clone(), app.clone());
    // Whoever asks and goes must not have the next one ask all parts again.
    let report = run_to_end(async move {
        let mut last = last.lock().await;
        match &last.report {
            Some((at, report)) if at.elapsed() < SHARED => report.clone(),
            _ => {
                let report = look(&asked, &mut last).await;
                last.report = Some((Instant::now(), report.clone()));
                report
            }
        }
    })
    .await;
    let is_stopping = app.shutdown.is_cancelled();
    let status = if report.is_ready && !is_stopping { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ok": report.is_ok && !is_stopping,
        "stopping": is_stopping,
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": probes.began.elapsed().as_secs(),
        "checkedAt": report.checked_at,
        "parts": report.parts,
    });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn look(app: &App, last: &mut Last) -> Report {
    let mail = last.mail.take().filter(|(at, _)| at.elapsed() < MAIL_SHARED);
    let (database, blob_store, redis, sequencer, disk, mail) =
        tokio::join!(database(app), blob_store(app), redis(app), sequencer(app), disk(app), async {
            match mail {
                Some((at, probe)) => (at, probe),
                None => (Instant::now(), mail_servers(app).await),
            }
        });
    last.mail = Some(mail.clone());
    let mail = waiting_mails(app, mail.1).await;
    let is_ready = !matches!(database.answer, Some(Err(_)));
    let now = clock::text(app.clock.now_us());
    let probes = [
        ("database", database),
        ("blobStore", blob_store),
        ("redis", redis),
        ("mail", mail),
        ("sequencer", sequencer),
        ("committer", committer(app)),
        ("disk", disk),
    ];
    let is_ok = probes.iter().all(|(_, probe)| !matches!(probe.answer, Some(Err(_))));
    let mut parts = Map::new();
    for (name, probe) in probes {
        if let Some(Err(message)) = &probe.answer {
            last.errors.insert(name, json!({"at": now, "message": message}));
        }
        let mut part = json!({
            "ok": !matches!(probe.answer, Some(Err(_))),
            "configured": probe.answer.is_some(),
            "latencyMs": probe.took.map(|took| (took.as_secs_f64() * 1e6).round() / 1e3),
            "lastError": last.errors.get(name),
        });
        if let Value::Object(part) = &mut part {
            part.extend(probe.detail);
        }
        parts.insert(name.to_owned(), part);
    }
    Report { is_ready, checked_at: now, is_ok, parts }
}

impl Probe {
    async fn of(work: impl Future<Output = Result<(), String>>) -> Self {
        let began = Instant::now();
        let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
        let answer = timeout(PATIENCE, work).await.unwrap_or_else(late);
        Self { answer: Some(answer), took: Some(began.elapsed()), detail: Map::new() }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

async fn database(app: &App) -> Probe {
    let probe = Probe::of(async { app.db.ping().await.map_err(|error| chain(&error)) }).await;
    let kind = match app.db.dialect() {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
    };
    let (open, idle) = app.db.connections();
    let connections = json!({"open": open, "idle": idle, "max": app.db.max_connections()});
    probe.with("kind", kind).with("connections", connections).with("slowStatements", app.db.slow_statements())
}

async fn blob_store(app: &App) -> Probe {
    let probe = Probe::of(async { app.blobs.store().health().await.map_err(|error| chain(&error)) }).await;
    let kind = match app.settings.blob.store {
        BlobStore::Disk(_) => "disk",
        BlobStore::S3(_) => "s3",
    };
    probe.with("kind", kind)
}

async fn redis(app: &App) -> Probe {
    let Some((_, failures)) = app.rate_limits.redis() else { return Probe::default() };
    let probe = Probe::of(async { app.rate_limits.ping_redis().await.unwrap_or(Ok(())) }).await;
    probe.with("failedCommands", failures)
}

/// Connects and signs in, without sending anything.
async fn mail_servers(app: &App) -> Probe {
    let mailer = app.emails.mailer();
    if !mailer.can_send(Kind::ResetPassword) && !mailer.can_send(Kind::Moderation) {
        return Probe::default();
    }
    Probe::of(async { mailer.check().await.map_err(|error| chain(&error)) }).await
}

async fn waiting_mails(app: &App, probe: Probe) -> Probe {
    let Ok(Ok(waiting)) = timeout(PATIENCE, pds_store::mail::waiting(&app.db)).await else { return probe };
    probe.with("waiting", waiting.count).with("waitingSince", waiting.oldest.map(clock::text))
}

async fn sequencer(app: &App) -> Probe {
    let mut newest = None;
    let probe = Probe::of(async {
        newest = Some(pds_store::event::head(&app.db).await.map_err(|error| chain(&error))?);
        lives(app, "sequencer")
    });
    probe.await.with("newestEvent", newest)
}

fn committer(app: &App) -> Probe {
    let answer = lives(app, "committer").and_then(|()| match app.committer.is_full() {
        true => Err("too many commits wait for the database: writes are refused".to_owned()),
        false => Ok(()),
    });
    let probe = Probe { answer: Some(answer), ..Probe::default() };
    probe.with("waiting", app.committer.waiting())
}

fn lives(app: &App, task: &str) -> Result<(), String> {
    match app.failed.task() {
        Some(failed) if failed == task => Err("its task has panicked, the server ends".to_owned()),
        _ => Ok(()),
    }
}

/// The volumes that this process writes to.
async fn disk(app: &App) -> Probe {
    let mut folders = vec![("temporary files", std::env::temp_dir())];
    if app.db.dialect() == Dialect::Sqlite {
        folders.push(("database", app.settings.service.data_directory.clone()));
    }
    if let BlobStore::Disk(disk) = &app.settings.blob.store {
        folders.push(("blobs", disk.location.clone()));
    }
    let mut volumes = Vec::new();
    let probe = Probe::of(async {
        // While an earlier look hangs, this one waits without a thread.
        let place = VOLUMES.acquire().await;
        let asked = tokio::task::spawn_blocking(move || {
            let _place = place;
            folders.into_iter().map(volume).collect::<Vec<_>>()
        });
        let found = asked.await.map_err(|error| error.to_string())?;
        let (shown, verdicts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        volumes = shown;
        verdicts.into_iter().collect::<Result<(), String>>()
    });
    probe.await.with("volumes", volumes)
}

fn volume((of, folder): (&str, PathBuf)) -> (Value, Result<(), String>) {
    match room(&folder) {
        Ok((size, available)) => {
            let verdict = match available.saturating_mul(100) >= size.saturating_mul(FREE_PERCENT) {
                true => Ok(()),
                false => Err(format!("less than {FREE_PERCENT} % of the volume of the {of} is free")),
            };
            (json!({"of": of, "sizeBytes": size, "availableBytes": available}), verdict)
        }
        Err(error) => (json!({"of": of}), Err(format!("the volume of the {of}, {}: {error}", folder.display()))),
    }
}

/// Size of the volume of a folder, and what this process may still write to it; in bytes.
fn room(folder: &Path) -> Result<(u64, u64), rustix::io::Errno> {
    let volume = rustix::fs::statvfs(folder)?;
    Ok((volume.f_blocks.saturating_mul(volume.f_frsize), volume.f_bavail.saturating_mul(volume.f_frsize)))
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probes(since {:?})", self.began)
    }
}
