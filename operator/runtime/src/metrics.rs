//! What an operator counts.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How a reconciliation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// `ok`, or the category of the error.
    pub outcome: &'static str,
}

/// Label with the kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// For example `Deployment`.
    pub kind: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Wrote {
    /// For example `Deployment`.
    pub kind: String,
    /// `create`, `apply` or `delete`.
    pub verb: &'static str,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Instance {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What an operator counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciliations: Family<Outcome, Counter>,
    duration: Histogram,
    put_off: Counter,
    leader: Gauge<i64>,
    crashes: Counter,
    scrapes: Counter<u64, AtomicU64>,
    unreadable: Family<Kind, Counter>,
    watch_failures: Family<Kind, Counter>,
    writes: Family<Wrote, Counter>,
    /// Namespace and name of the instances that have values.
    told: Mutex<BTreeSet<(String, String)>>,
    ready: Family<Instance, Gauge<i64>>,
    certificate_expiry: Family<Instance, Gauge<i64>>,
    outdated: Family<Kind, Gauge<i64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aurora_operator");
        let duration = Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let about = "Time of one reconciliation";
        registry.register_with_unit("reconciliation_duration", about, Unit::Seconds, duration.clone());
        Self {
            reconciliations: register(&mut registry, "reconciliations", "Reconciliations by how they ended"),
            put_off: register(
                &mut registry,
                "reconciliations_put_off",
                "Reconciliations of instances that change so often that they wait for the next one",
            ),
            leader: register(&mut registry, "leader", "1 while this process holds the Lease"),
            crashes: register(
                &mut registry,
                "crashes",
                "Panics and time-outs of reconciliations, and ends of the controller",
            ),
            scrapes: register(&mut registry, "scrapes", "Times that a PDS was asked for its metrics"),
            unreadable: register(
                &mut registry,
                "unreadable_objects",
                "Times that the API server showed an object that this version cannot read",
            ),
            watch_failures: register(&mut registry, "watch_failures", "Times that a watch broke off with an error"),
            writes: register(&mut registry, "writes", "Objects of instances that were written, by kind and verb"),
            told: Mutex::default(),
            ready: register(&mut registry, "instance_ready", "1 while the condition Ready of the instance is True"),
            certificate_expiry: register(
                &mut registry,
                "certificate_expiry",
                "Time at which the certificate of the instance ends, in seconds since 1970",
            ),
            outdated: register(
                &mut registry,
                "crd_outdated",
                "1 while the CustomResourceDefinition is older than the operator",
            ),
            registry,
            duration,
        }
    }
}

fn register<M: prometheus_client::registry::Metric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    about: &str,
) -> M {
    let metric = M::default();
    registry.register(name, about, metric.clone());
    metric
}

impl Metrics {
    /// One reconciliation ended.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.reconciliations.get_or_create(&Outcome { outcome }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// A reconciliation has to wait, because its object had many.
    pub fn put_off(&self) {
        self.put_off.inc();
    }

    /// Says whether this process leads.
    pub fn set_leader(&self, leader: bool) {
        self.leader.set(leader.into());
    }

    /// Code panicked, did not end in time, or ended by itself.
    pub fn crashed(&self) {
        self.crashes.inc();
    }

    /// A PDS was asked for its metrics.
    pub fn scraped(&self) {
        self.scrapes.inc();
    }

    /// An object could not be read.
    pub fn unreadable(&self, kind: &str) {
        self.unreadable.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// Counts a watch that ended with an error.
    pub fn watch_failed(&self, kind: &str) {
        self.watch_failures.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// An object was written.
    pub fn wrote(&self, kind: &str, verb: &'static str) {
        self.writes.get_or_create(&Wrote { kind: kind.to_owned(), verb }).inc();
    }

    /// Says whether an instance is ready.
    pub fn set_ready(&self, namespace: &str, name: &str, ready: bool) {
        self.told().insert((namespace.to_owned(), name.to_owned()));
        self.ready.get_or_create(&instance(namespace, name)).set(ready.into());
    }

    /// Says when the certificate of an instance ends, in seconds since 1970; nothing without one.
    pub fn set_certificate_expiry(&self, namespace: &str, name: &str, at: Option<i64>) {
        let instance = instance(namespace, name);
        match at {
            Some(at) => _ = self.certificate_expiry.get_or_create(&instance).set(at),
            None => _ = self.certificate_expiry.remove(&instance),
        }
    }

    /// Says whether a CustomResourceDefinition is older than the operator.
    pub fn set_outdated(&self, kind: &str, outdated: bool) {
        self.outdated.get_or_create(&Kind { kind: kind.to_owned() }).set(outdated.into());
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.told().remove(&(namespace.to_owned(), name.to_owned()));
        self.ready.remove(&instance(namespace, name));
        self.certificate_expiry.remove(&instance(namespace, name));
    }

    /// Forgets instances that exist no more, given by namespace and name. Names are the tenants' choice, so nothing may stay behind.
    pub fn forget_gone(&self, exists: impl Fn(&str, &str) -> bool) {
        let gone: Vec<_> = self.told().iter().filter(|(namespace, name)| !exists(namespace, name)).cloned().collect();
        gone.iter().for_each(|(namespace, name)| self.forget(namespace, name));
    }

    fn told(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics as text.
    ///
    /// # Errors
    /// Never: writing to a `String` does not fail.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn instance(namespace: &str, name: &str) -> Instance {
    Instance { namespace: namespace.to_owned(), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tenants choose names, so a name that stays behind would be room that anybody may take.
    #[test]
    fn nothing_is_left_of_instances_that_are_gone() {
        let metrics = Metrics::default();
        for name in ["a", "b"] {
            metrics.set_ready("ns", name, true);
            metrics.set_certificate_expiry("ns", name, Some(1));
        }
        metrics.forget_gone(|_, name| name == "b");
        let text = metrics.text().unwrap();
        assert!(!text.contains(r#"name="a""#) && text.matches(r#"name="b""#).count() == 2, "{text}");
    }
}
