//! `PdsInstance`: observe, validate, plan, carry out, status.

mod allowed;
mod carry_out;
pub mod component;
mod finalize;
pub mod observe;
pub mod plan;
mod settings;
pub mod status;
pub mod step;
mod unreadable;
pub mod validate;
pub mod verdict;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use operator_api::{ConditionType, PdsInstance, Reason};
use operator_runtime::guard::guarded;

use crate::context::{CONTROLLER_NAME, Ctx};
use observe::ClassFound;
use plan::Plan;
use status::Report;
use verdict::Verdict;

pub use finalize::{FINALIZER, free_hostnames, release};

/// The longest pause between tries to end an instance: somebody waits for it.
const LONGEST_END: Duration = Duration::from_secs(10);
/// Time limit of one reconciliation.
const LIMIT: Duration = Duration::from_secs(300);

/// What fails in a reconciliation so that not even a status could be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading what exists.
    #[error("read what exists")]
    Observe(#[source] kube::Error),
    /// Writing the status.
    #[error("write the status")]
    Status(#[source] kube::Error),
    /// Deleting data, or the finalizer.
    #[error("end the instance")]
    Finalize(#[source] finalize::Error),
}

impl Error {
    /// A label for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Status(_) => "status",
            Self::Finalize(_) => "finalize",
        }
    }
}

/// Reconciles one instance. A failure is a wait of its own, a panic is counted and costs no other instance.
///
/// # Errors
/// Never.
pub async fn reconcile(object: Arc<DeserializeGuard<PdsInstance>>, ctx: Arc<Ctx>) -> Result<Action, Infallible> {
    // The semaphore gives places in the order of the asking. The controller of kube takes any that is due, and could pass one by for ever.
    let _place = ctx.places.acquire().await;
    let _running = ctx.pages.running();
    let began = Instant::now();
    let metadata = match &object.0 {
        Ok(pds) => pds.metadata.clone(),
        Err(invalid) => invalid.metadata.clone(),
    };
    let uid = metadata.uid.unwrap_or_default();
    let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
    let result = guarded(LIMIT, async {
        ctx.caches.filled().await;
        match &object.0 {
            Ok(pds) => step(pds, &ctx).await,
            Err(invalid) => unreadable::reconcile(&ctx, invalid).await,
        }
    });
    let (outcome, action) = match result.await {
        Ok(Ok(Next::Wait(action))) => {
            ctx.backoff.reset(&uid);
            ("ok", action)
        }
        Ok(Ok(Next::Retry)) => ("retry", Action::requeue(ctx.backoff.failed(&uid))),
        Ok(Err(error)) => {
            let longest = if matches!(error, Error::Finalize(_)) { LONGEST_END } else { Duration::MAX };
            let category = error.category();
            let error = anyhow::Error::new(error);
            tracing::warn!(namespace, name, "reconcile PdsInstance {namespace}/{name}: {error:#}");
            (category, Action::requeue(ctx.backoff.failed(&uid).min(longest)))
        }
        Err(crash) => {
            ctx.pages.metrics.crashed();
            tracing::error!(namespace, name, "reconcile PdsInstance {namespace}/{name}: {crash}");
            ("crash", Action::requeue(ctx.backoff.failed(&uid)))
        }
    };
    ctx.pages.metrics.reconciled(outcome, began.elapsed());
    Ok(action)
}

/// What follows a reconciliation.
pub(crate) enum Next {
    /// All is well, or something else will tell.
    Wait(Action),
    /// Something failed.
    Retry,
}

async fn step(pds: &PdsInstance, ctx: &Ctx) -> Result<Next, Error> {
    // Another installation serves the class. An instance whose class cannot be found belongs to the installation with the usual name.
    let is_ours = match observe::class(ctx, pds) {
        ClassFound::Found(class) => ctx.serves(&class),
        ClassFound::None | ClassFound::Ambiguous(_) => ctx.options.controller_name == CONTROLLER_NAME,
    };
    if !is_ours {
        return Ok(Next::Wait(Action::await_change()));
    }
    if pds.metadata.deletion_timestamp.is_some() {
        let end = finalize::End::of(pds);
        return match finalize::finalize(ctx, &end).await.map_err(Error::Finalize)? {
            finalize::Progress::Done => Ok(Next::Wait(Action::await_change())),
            finalize::Progress::Waiting => Ok(Next::Wait(Action::requeue(Duration::from_secs(1)))),
        };
    }
    let observed = match observe::observe(ctx, pds).await {
        Ok(observed) => observed,
        Err(error) => {
            let verdict = Verdict::bad(Reason::ReconcileFailed, format!("the API server does not answer: {error}"));
            status::update(ctx, pds, None, &Report::only(ConditionType::Ready, verdict))
                .await
                .map_err(Error::Status)?;
            return Err(Error::Observe(error));
        }
    };
    if let Some(problem) = ctx.definitions.problem() {
        let report = Report::only(ConditionType::ClassAccepted, Verdict::bad(Reason::CrdOutdated, problem));
        status::update(ctx, pds, None, &report).await.map_err(Error::Status)?;
        return Ok(Next::Wait(Action::requeue(jitter(60))));
    }
    let wanted = match validate::validate(pds, &observed) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            let report = Report::refused(&refusal);
            status::update(ctx, pds, None, &report).await.map_err(Error::Status)?;
            return Ok(Next::Wait(Action::requeue(jitter(60))));
        }
    };
    let plan = plan::plan(pds, &wanted, &observed);
    let is_paused = pds.spec.paused == Some(true);
    let has_work = !plan.steps.is_empty() || !plan.writes.is_empty();
    let report = if is_paused {
        Report { is_paused, ..Report::of(&plan) }
    } else {
        carry_out::carry_out(ctx, pds, &wanted, &plan).await
    };
    status::update(ctx, pds, Some(&wanted), &report).await.map_err(Error::Status)?;
    Ok(next(&plan, &report, has_work && !is_paused))
}

fn next(plan: &Plan, report: &Report, worked: bool) -> Next {
    if report.failed {
        return Next::Retry;
    }
    // What a step did is seen by the next reconciliation; objects that were written bring it by themselves, and so do claims. An instance
    // that waits for a hostname asks for it every time, and must not do so without a pause.
    if worked && plan.steps.iter().any(|(_, step)| !matches!(step, step::Step::Claim { .. })) {
        return Next::Wait(Action::requeue(Duration::from_millis(20)));
    }
    Next::Wait(Action::requeue(jitter(if report.is_good() { 300 } else { 10 })))
}

/// Equal waits would bring everything back at the same moment.
fn jitter(seconds: u64) -> Duration {
    Duration::from_secs(seconds).mul_f64(rand::random_range(0.75..1.25))
}
