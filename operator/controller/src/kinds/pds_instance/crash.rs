//! Tells in the status that a reconciliation crashed, so that an instance that nobody works on does not look well.

use std::time::Duration;

use kube::ResourceExt;
use operator_api::{ConditionType, Reason};
use operator_runtime::carry_out::words;
use operator_runtime::guard::{Crash, guarded};

use super::conditions::merge_conditions;
use super::observe::{class, is_served};
use super::observed::ClassFound;
use super::status::{self, Report};
use super::unreadable;
use super::verdict::Verdict;
use crate::context::Ctx;
use crate::guarded::Guarded;

/// Time limit of the report. It shares code with what crashed, and may crash again.
const LIMIT: Duration = Duration::from_secs(30);

/// Writes the condition of a crash. A report that fails is logged: the next reconciliation brings another one.
pub(super) async fn tell(ctx: &Ctx, object: &Guarded, crash: &Crash) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let problem = match guarded(LIMIT, write(ctx, object, &namespace, &name, crash)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => words(&error),
        Err(crash) => crash.to_string(),
    };
    tracing::error!(namespace, name, "write the crash into the status of PdsInstance {namespace}/{name}: {problem}");
}

async fn write(ctx: &Ctx, object: &Guarded, namespace: &str, name: &str, crash: &Crash) -> kube::Result<()> {
    // Before every class was seen, an instance whose class is not there may be another installation's.
    let has_class = object.0.as_ref().is_ok_and(|pds| matches!(class(ctx, pds), ClassFound::Found(_)));
    if !has_class && !ctx.filled.initialized() {
        return Ok(());
    }
    let verdict = verdict(crash);
    if let Ok(pds) = &object.0
        && pds.metadata.deletion_timestamp.is_none()
    {
        if !is_served(ctx, &class(ctx, pds)) {
            return Ok(());
        }
        let newest = status::newest(ctx, pds);
        let report = Report::only(ConditionType::Ready, verdict);
        return status::update(ctx, newest.as_ref().unwrap_or(pds), None, &report).await;
    }
    if unreadable::served(ctx, namespace, name).await?.is_none() {
        return Ok(());
    }
    ctx.pages.metrics.set_ready(namespace, name, false);
    let (reason, why) = (verdict.reason.as_str(), verdict.message.as_str());
    merge_conditions(ctx, namespace, name, &[("Ready", false, reason, why), ("Reconciling", true, reason, why)])
        .await
        .map(drop)
}

/// What people read about a crash. The words of a panic are for the log: they are about code, and may repeat what the code held.
fn verdict(crash: &Crash) -> Verdict {
    let what = match crash {
        Crash::Panicked(_) => {
            "the operator has a fault and stopped in the middle of its work on this instance".to_owned()
        }
        Crash::TimedOut(limit) => {
            format!("the operator did not finish its work on this instance within {} s", limit.as_secs())
        }
    };
    Verdict::bad(
        Reason::ReconcileFailed,
        format!("{what}; what runs goes on, the operator tries again, its log says more"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_told_in_plain_words_and_shows_nothing_of_the_code() {
        let panic = format!("called `Result::unwrap()` on an `Err` value: Secret {{ {} }}", "x".repeat(5000));
        for (crash, words) in [
            (Crash::Panicked(panic), "the operator has a fault"),
            (Crash::TimedOut(Duration::from_secs(300)), "did not finish its work on this instance within 300 s"),
        ] {
            let verdict = verdict(&crash);
            assert_eq!((verdict.good, verdict.reason), (false, Reason::ReconcileFailed));
            assert!(verdict.message.contains(words) && verdict.message.len() < 250, "{}", verdict.message);
            assert!(!verdict.message.contains("unwrap") && !verdict.message.contains("Secret"), "{}", verdict.message);
        }
    }
}
