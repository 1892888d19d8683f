//! Leader election with one Lease, which is taken and renewed by compare-and-swap.
//!
//! Every write carries the `resourceVersion` that was read, so of two candidates one gets a conflict. Whether another
//! holder's lease ran out is judged by this process's own clock since the record last changed, never by its text.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::Instant;

#[cfg(test)]
pub(crate) mod fake;
mod keeper;
#[cfg(test)]
mod tests;

pub use keeper::Keeper;

/// How long a lease holds after its last renewal.
pub const DURATION: Duration = Duration::from_secs(15);
/// How long the holder tries to renew before it gives up.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// The pause between tries.
pub const RETRY: Duration = Duration::from_secs(2);

/// A process that tries to hold the Lease, and the Lease as the process last read it.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    deadline: Duration,
    retry: Duration,
    seen: Option<(String, Instant)>,
}

/// Why a lease is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The Lease names another holder.
    #[error("another process holds it")]
    Taken,
    /// No renewal came through in time.
    #[error("it was not renewed for {} s: {why}", .after.as_secs())]
    NotRenewed {
        /// The time since the last renewal.
        after: Duration,
        /// How the last try ended.
        why: String,
    },
    /// The thread that renews could not begin, or crashed.
    #[error("the thread that renews it ended: {0}")]
    NoThread(String),
}

/// What to do about a lease.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Create,
    Take,
    Renew,
    Wait,
}

/// How a try ended.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Holds,
    Conflict,
    Other,
}

impl Candidate {
    /// A candidate for the lease `name`, under an `identity` of its own.
    #[must_use]
    pub fn new(api: Api<Lease>, name: &str, identity: String) -> Self {
        Self { api, name: name.into(), identity, deadline: DEADLINE, retry: RETRY, seen: None }
    }

    /// The same with other times, for tests that cannot move the clock.
    #[cfg(test)]
    pub(crate) fn in_a_hurry(self, deadline: Duration, retry: Duration) -> Self {
        Self { deadline, retry, ..self }
    }

    /// Waits until this process leads. Errors of the API server are tried again.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt(Instant::now()).await {
                Ok(Attempt::Holds) => return,
                Ok(Attempt::Conflict | Attempt::Other) => {}
                Err(error) => tracing::warn!(%error, "the lease cannot be read or written"),
            }
            tokio::time::sleep(self.retry).await;
        }
    }

    /// Renews until that failed for too long, or another took the lease. Returns which of the two.
    pub async fn keep(&mut self) -> Loss {
        let mut renewed = Instant::now();
        let mut why = "there was no time to try".to_owned();
        while renewed.elapsed() < self.deadline {
            tokio::time::sleep(self.retry).await;
            let began = Instant::now();
            let left = self.deadline.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.attempt(began)).await {
                Ok(Ok(Attempt::Holds)) => renewed = began,
                Ok(Ok(Attempt::Conflict)) => "somebody else wrote the Lease at the same time".clone_into(&mut why),
                Ok(Ok(Attempt::Other)) => return Loss::Taken,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the lease was not renewed");
                    why = error.to_string();
                }
                Err(_) => why = format!("the API server did not answer within {} ms", left.as_millis()),
            }
        }
        Loss::NotRenewed { after: renewed.elapsed(), why }
    }

    /// Gives the lease up, so that another need not wait.
    ///
    /// # Errors
    /// What the API server answers; the lease then runs out by itself.
    pub async fn release(&self) -> kube::Result<()> {
        let mut lease = self.api.get(&self.name).await?;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        spec.holder_identity = None;
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
    }

    /// Reads the Lease once and takes or renews it if that is allowed.
    async fn attempt(&mut self, now: Instant) -> kube::Result<Attempt> {
        let lease = self.api.get_opt(&self.name).await?;
        let step = self.step(lease.as_ref(), now);
        let written = match (step, lease) {
            (Step::Wait, _) => return Ok(Attempt::Other),
            (Step::Create, _) | (_, None) => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..Default::default() };
                let lease = Lease { metadata, spec: Some(self.record(0, None)) };
                self.api.create(&PostParams::default(), &lease).await
            }
            (step, Some(mut lease)) => {
                let old = lease.spec.take().unwrap_or_default();
                let changes = old.lease_transitions.unwrap_or(0);
                let spec = match step {
                    Step::Renew => self.record(changes, old.acquire_time),
                    _ => self.record(changes.saturating_add(1), None),
                };
                lease.spec = Some(spec);
                self.api.replace(&self.name, &PostParams::default(), &lease).await
            }
        };
        match written {
            Ok(_) => Ok(Attempt::Holds),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                // Somebody wrote in between, maybe an earlier try of this process. The next try sees who.
                Ok(Attempt::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    fn step(&mut self, lease: Option<&Lease>, now: Instant) -> Step {
        let Some(lease) = lease else { return Step::Create };
        let spec = lease.spec.clone().unwrap_or_default();
        match spec.holder_identity.as_deref() {
            None | Some("") => return Step::Take,
            Some(holder) if holder == self.identity => return Step::Renew,
            Some(_) => {}
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => {
                let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                let holds = seconds.map_or(DURATION, Duration::from_secs);
                if now.duration_since(*since) > holds { Step::Take } else { Step::Wait }
            }
            _ => {
                self.seen = Some((version, now));
                Step::Wait
            }
        }
    }

    fn record(&self, changes: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: acquired.or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(changes),
            ..Default::default()
        }
    }
}
