//! `PdsInstance`: observe, validate, plan, carry out, status.

mod allowed;
mod bucket;
pub mod bucket_claim;
mod carry_out;
pub mod claim;
pub mod component;
mod conditions;
mod crash;
pub mod done;
mod finalize;
pub mod finalizer;
mod held;
pub mod observe;
pub mod observed;
pub mod orphans;
mod outcome;
pub mod plan;
mod settings;
pub mod status;
pub mod step;
mod unreadable;
pub mod validate;
pub mod verdict;
pub mod wanted;
pub mod written;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use operator_api::{ConditionType, PdsInstance, Reason};
use operator_runtime::carry_out::words;
use operator_runtime::guard::guarded;
use operator_runtime::tolerant::Tolerant;

use crate::context::Ctx;
use done::Done;
use outcome::{ENDS, Error, Next};
use plan::Plan;
use status::Report;
use verdict::Verdict;

/// Seconds after which an instance that waits is looked at again.
const WAITS: u64 = 10;
/// Time limit of one reconciliation.
const LIMIT: Duration = Duration::from_secs(300);

/// Reconciles one instance. A failure delays only this instance. A panic is caught and counted.
///
/// # Errors
/// Never.
pub async fn reconcile(object: Arc<Tolerant<PdsInstance>>, ctx: Arc<Ctx>) -> Result<Action, Infallible> {
    let metadata = match &object.0 {
        Ok(pds) => pds.metadata.clone(),
        Err(invalid) => invalid.metadata.clone(),
    };
    let uid = metadata.uid.unwrap_or_default();
    let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
    if let Some(wait) = ctx.pace.wait(&uid) {
        ctx.pages.metrics.put_off();
        return Ok(Action::requeue(wait));
    }
    let _place = ctx.places.take(&namespace, &name).await;
    let _running = ctx.pages.running();
    let began = Instant::now();
    let result = guarded(LIMIT, async {
        filled(&ctx).await;
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
        Ok(Ok(Next::Again)) => ("again", Action::requeue(ctx.backoff.failed(&uid).max(jitter(WAITS)))),
        Ok(Err(error)) => {
            let category = error.category();
            let error = anyhow::Error::new(error);
            tracing::warn!(namespace, name, "reconcile PdsInstance {namespace}/{name}: {error:#}");
            (category, Action::requeue(ctx.backoff.failed(&uid)))
        }
        Err(crash) => {
            ctx.pages.metrics.crashed();
            tracing::error!(namespace, name, "reconcile PdsInstance {namespace}/{name}: {crash}");
            crash::tell(&ctx, &object, &crash).await;
            ("crash", Action::requeue(ctx.backoff.failed(&uid)))
        }
    };
    ctx.pages.metrics.reconciled(outcome, began.elapsed());
    Ok(action)
}

/// Waits until everything was seen once: a class that was not seen yet is not a class that does not exist. One reconciliation waits for
/// all, since a store wakes only the last one that waits for it.
pub(crate) async fn filled(ctx: &Ctx) {
    let stores = async {
        ctx.caches.filled().await;
        // A store whose watch is gone stays as it is; the process ends then.
        ctx.classes.wait_until_ready().await.ok();
        ctx.claims.wait_until_ready().await.ok();
        ctx.bucket_claims.wait_until_ready().await.ok();
        ctx.namespaces.wait_until_ready().await.ok();
    };
    ctx.filled.get_or_init(|| stores).await;
}

async fn step(pds: &PdsInstance, ctx: &Ctx) -> Result<Next, Error> {
    if !observe::is_served(ctx, &observe::class(ctx, pds)) {
        return Ok(Next::Wait(Action::await_change()));
    }
    if pds.metadata.deletion_timestamp.is_some() {
        let end = finalize::End::of(pds);
        return match finalize::finalize(ctx, &end).await.map_err(Error::Finalize)? {
            finalize::Progress::Done => Ok(Next::Wait(Action::await_change())),
            finalize::Progress::InPart => Ok(Next::Wait(Action::requeue(Duration::from_secs(1)))),
            finalize::Progress::Waiting(_) => Ok(Next::Wait(Action::requeue(jitter(ENDS)))),
        };
    }
    let newest = status::newest(ctx, pds);
    let pds = newest.as_ref().unwrap_or(pds);
    let observed = match observe::observe(ctx, pds).await {
        Ok(observed) => observed,
        Err(error) => {
            let why =
                format!("what exists of the instance cannot be read: {}; the operator tries again", words(&error));
            let verdict = Verdict::bad(Reason::ReconcileFailed, why);
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
    let report = if is_paused {
        Report { is_paused, ..Report::of(&plan) }
    } else {
        carry_out::carry_out(ctx, pds, &wanted, &plan).await
    };
    status::update(ctx, pds, Some(&wanted), &report).await.map_err(Error::Status)?;
    // Whoever waits for a turn asks for it again and again, and does nothing meanwhile.
    let work = if is_paused || report.waits.is_some() { None } else { plan.work() };
    let done = Done::new(&plan.steps, work);
    let uid = pds.metadata.uid.as_deref().unwrap_or_default();
    let before = ctx.done.get(uid).map(|(before, _)| before);
    let is_news = before.as_ref().is_none_or(|before| !before.has_same_steps(&done));
    let is_in_vain = before.is_some_and(|before| before.has_same_work(&done));
    ctx.done.put(uid, done);
    Ok(next(&plan, &report, is_news && !is_paused, is_in_vain))
}

fn next(plan: &Plan, report: &Report, worked: bool, in_vain: bool) -> Next {
    if report.failed {
        return Next::Retry;
    }
    // What a step did is seen by the next reconciliation; objects that were written bring it by themselves.
    if worked && !plan.steps.is_empty() {
        return Next::Wait(Action::requeue(Duration::from_millis(20)));
    }
    // The same a second time comes to nothing: each time after a longer pause.
    if in_vain {
        return Next::Again;
    }
    Next::Wait(Action::requeue(jitter(if report.is_good() { 300 } else { WAITS })))
}

/// A duration between 75 % and 125 % of `seconds`, so that instances are not all reconciled at the same moment.
fn jitter(seconds: u64) -> Duration {
    Duration::from_secs(seconds).mul_f64(rand::random_range(0.75..1.25))
}
