//! Mails that wait, were sent and were not.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::storage::Reading;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failure {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Default)]
pub(super) struct Mails {
    queued: Family<Kind, Counter>,
    sent: Family<Kind, Counter>,
    failed: Family<Failure, Counter>,
    waiting: Gauge,
    oldest: Reading,
}

impl Mails {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("mails_queued", "Mails queued by this replica", self.queued.clone());
        registry.register("mails_sent", "Mails that the SMTP server took from this replica", self.sent.clone());
        registry.register(
            "mails_failed",
            "Attempts of this replica to send a mail that failed: retried later, refused for good, or too late (expired)",
            self.failed.clone(),
        );
        registry.register("mails_waiting", "Mails that wait to be sent, of all replicas", self.waiting.clone());
        registry.register(
            "mail_oldest_timestamp_seconds",
            "When the oldest mail that waits was queued; absent if none waits",
            self.oldest.clone(),
        );
    }

    pub(super) fn queued(&self, kind: &'static str) {
        self.queued.get_or_create(&Kind { kind }).inc();
    }

    pub(super) fn sent(&self, kind: &'static str) {
        self.sent.get_or_create(&Kind { kind }).inc();
    }

    pub(super) fn failed(&self, kind: &'static str, reason: &'static str) {
        self.failed.get_or_create(&Failure { kind, reason }).inc();
    }

    pub(super) fn set_waiting(&self, count: u64, oldest: Option<i64>) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest.put(oldest);
    }
}
