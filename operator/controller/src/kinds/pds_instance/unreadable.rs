//! An instance that this version cannot read, for example after a rollback: what runs goes on untouched, the status says so, and it can
//! be deleted.

use std::time::Duration;

use kube::api::DynamicObject;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use operator_api::Reason;

use super::conditions::{fetch, merge_conditions};
use super::finalize::{self, End, Progress};
use super::observe::{class_or_default, is_served};
use super::outcome::{ENDS, Error, Next};
use crate::context::Ctx;

/// Reports that the instance cannot be read, or ends it.
pub(super) async fn reconcile(ctx: &Ctx, invalid: &InvalidObject) -> Result<Next, Error> {
    let namespace = invalid.metadata.namespace.clone().unwrap_or_default();
    let name = invalid.metadata.name.clone().unwrap_or_default();
    let live = served(ctx, &namespace, &name).await.map_err(Error::Observe)?;
    let Some(live) = live else { return Ok(Next::Wait(Action::await_change())) };
    if live.metadata.deletion_timestamp.is_some() {
        return match finalize::finalize(ctx, &End::of_raw(&live)).await.map_err(Error::Finalize)? {
            Progress::Done => Ok(Next::Wait(Action::await_change())),
            Progress::InPart => Ok(Next::Wait(Action::requeue(Duration::from_secs(1)))),
            Progress::Waiting(_) => Ok(Next::Wait(Action::requeue(Duration::from_secs(ENDS)))),
        };
    }
    let version = env!("CARGO_PKG_VERSION");
    let why =
        format!("this operator ({version}) cannot read the object: {}; what runs goes on untouched", invalid.error);
    let reason = Reason::Unreadable.as_str();
    let list =
        [("Ready", false, reason, why.as_str()), ("Stalled", true, reason, &why), ("Reconciling", false, reason, &why)];
    merge_conditions(ctx, &namespace, &name, &list).await.map_err(Error::Status)?;
    ctx.pages.metrics.set_ready(&namespace, &name, false);
    Ok(Next::Wait(Action::await_change()))
}

/// An instance as it is stored, if this installation serves its class.
pub(super) async fn served(ctx: &Ctx, namespace: &str, name: &str) -> kube::Result<Option<DynamicObject>> {
    let live = fetch(ctx, namespace, name).await?;
    Ok(live.filter(|live| {
        let text = |path: &str| live.data.pointer(path).and_then(|value| value.as_str());
        let chosen = text("/spec/className").or_else(|| text("/status/className"));
        is_served(ctx, &class_or_default(ctx, chosen))
    }))
}
