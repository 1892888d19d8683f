//! What has to be done from time to time. Every job is idempotent, so it does no harm that each replica runs it; a jitter keeps them apart.

pub mod blob_store;
pub mod crawl;

use std::time::{Duration, Instant};

use pds_store::{account, commit, session};

use crate::{app::App, blob, report::chain};

/// How long a sign-up may take before its reservation is given back; microseconds.
const STALE_RESERVATION_US: i64 = 10 * 60 * 1_000_000;

/// Starts the jobs; they end with the server.
pub fn start(app: &App) {
    blob_store::start(app);
    crawl::start(app);
    spawn(app, "reservations", Duration::from_secs(300), |app| async move { give_back_reservations(&app).await });
    spawn(app, "session_cleanup", Duration::from_secs(3600), |app| async move { forget_expired_sessions(&app).await });
    spawn(app, "blob_orphan_sweep", Duration::from_secs(3600), |app| async move { blob::sweep(&app).await.map(drop) });
    spawn(app, "expired_imports", Duration::from_secs(300), |app| async move { undo_expired_imports(&app).await });
    spawn(app, "event_retention", Duration::from_secs(600), |app| async move {
        app.sequencer.prune(app.clock.now_us()).await
    });
}

fn spawn<F>(app: &App, name: &'static str, every: Duration, work: fn(App) -> F)
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let pause = every.mul_f64(0.75 + 0.5 * rand::random::<f64>());
            tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let began = Instant::now();
            let result = work(app.clone()).await;
            let succeeded_at = result.is_ok().then(|| app.clock.now_s());
            app.metrics.job_ran(name, began.elapsed(), succeeded_at);
            if let Err(error) = result {
                tracing::warn!(job = name, error = chain(error.as_ref()), "job {name} failed");
            }
        }
    });
}

/// Gives back reservations of sign-ups that a crash left behind.
pub async fn give_back_reservations(app: &App) -> anyhow::Result<()> {
    let before = app.clock.now_us() - STALE_RESERVATION_US;
    for stale in account::stale_reservations(&app.db, before, 100).await? {
        let mut tx = app.db.begin().await?;
        if account::give_back(&mut tx, stale.id).await? {
            tracing::info!(account.did = %stale.did, "gave back the unfinished sign-up of {}", stale.handle);
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Deletes what imports staged whose server has died.
pub async fn undo_expired_imports(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now_us();
    for id in commit::expired(&app.db, now, 100).await? {
        if commit::undo_expired(&app.db, id, now).await? {
            tracing::info!(account.id = %id, "undid an import of account {id} that had expired");
        }
    }
    Ok(())
}

/// Removes refresh tokens whose time is over. Access tokens are not stored.
pub async fn forget_expired_sessions(app: &App) -> anyhow::Result<()> {
    let mut tx = app.db.begin().await?;
    let count = session::forget_expired(&mut tx, app.clock.now_us()).await?;
    tx.commit().await?;
    if count > 0 {
        tracing::info!(count, "forgot {count} expired refresh tokens");
    }
    Ok(())
}
