//! `PdsInstance`: observe, validate, build, apply, status.

mod accounts;
pub mod apply;
pub mod build;
mod finalize;
pub mod names;
pub mod observe;
pub mod reason;
mod secrets;
mod stages;
pub mod status;
pub mod validate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::controller::Action;
use operator_api::PdsInstance;

use crate::context::Ctx;
use reason::Reason;
use status::Stage;

/// The longest pause between tries to end an instance: somebody waits for it.
const LONGEST_END: Duration = Duration::from_secs(10);

/// What fails in a reconciliation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading what is there.
    #[error("observe")]
    Observe(#[source] kube::Error),
    /// Writing children.
    #[error("apply")]
    Apply(#[source] kube::Error),
    /// Writing the status.
    #[error("status")]
    Status(#[source] kube::Error),
    /// Deleting data, or the finalizer.
    #[error("finalize")]
    Finalize(#[source] finalize::Error),
}

impl Error {
    /// A label for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
            Self::Finalize(_) => "finalize",
        }
    }
}

/// Reconciles, counts, and turns a failure into a wait of its own.
///
/// # Errors
/// Never.
pub async fn reconcile(pds: Arc<PdsInstance>, ctx: Arc<Ctx>) -> Result<Action, std::convert::Infallible> {
    let began = Instant::now();
    let uid = pds.uid().unwrap_or_default();
    let result = step(&pds, &ctx).await;
    let outcome = result.as_ref().map_or_else(Error::category, |_| "ok");
    ctx.metrics.reconciled(outcome, began.elapsed());
    Ok(match result {
        Ok(Next::Wait(action)) => {
            ctx.backoff.reset(&uid);
            action
        }
        Ok(Next::Retry) => Action::requeue(ctx.backoff.failed(&uid)),
        Err(error) => {
            let longest = if matches!(error, Error::Finalize(_)) { LONGEST_END } else { Duration::MAX };
            let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
            let error = anyhow::Error::new(error);
            tracing::warn!(namespace, name, "reconcile: {error:#}");
            Action::requeue(ctx.backoff.failed(&uid).min(longest))
        }
    })
}

enum Next {
    /// All is well, or something else will tell.
    Wait(Action),
    /// Something failed.
    Retry,
}

async fn step(pds: &PdsInstance, ctx: &Ctx) -> Result<Next, Error> {
    if pds.metadata.deletion_timestamp.is_some() {
        return match finalize::finalize(ctx, pds).await.map_err(Error::Finalize)? {
            finalize::Progress::Done => Ok(Next::Wait(Action::await_change())),
            finalize::Progress::Waiting => Ok(Next::Wait(Action::requeue(Duration::from_secs(1)))),
        };
    }
    if pds.spec.paused == Some(true) {
        status::paused(ctx, pds).await.map_err(Error::Status)?;
        return Ok(Next::Wait(Action::await_change()));
    }
    finalize::ensure_finalizer(ctx, pds).await.map_err(Error::Apply)?;
    let observed = observe::observe(ctx, pds).await.map_err(Error::Observe)?;
    let wanted = match validate::validate(pds, &observed) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            status::refused(ctx, pds, &refusal).await.map_err(Error::Status)?;
            // What it refers to may come without a sign.
            return Ok(Next::Wait(Action::requeue(jitter(60))));
        }
    };
    let planned = build::build(&wanted, &observed);
    let applied = apply::apply(ctx, pds, &wanted, &observed, planned).await.map_err(Error::Apply)?;
    status::update(ctx, pds, &wanted, &applied).await.map_err(Error::Status)?;
    let failed = |stage: &Stage| !stage.good && stage.reason == Reason::ReconcileFailed;
    if applied.stages().into_iter().any(|(_, stage)| failed(stage)) {
        return Ok(Next::Retry);
    }
    let good = applied.complete && applied.stages().into_iter().all(|(_, stage)| stage.good);
    Ok(Next::Wait(Action::requeue(jitter(if good { 120 } else { 10 }))))
}

/// Equal waits would bring everything back at the same moment.
fn jitter(seconds: u64) -> Duration {
    Duration::from_secs(seconds).mul_f64(rand::random_range(0.75..1.25))
}
