//! Events: what people see in `kubectl describe`.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::condition::one_line;

/// Publishes Events. Equal ones in a row become one with a count.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Events of the controller `name`, from the process `identity`.
    #[must_use]
    pub fn new(client: Client, name: &str, identity: &str) -> Self {
        Self(Recorder::new(client, Reporter { controller: name.into(), instance: Some(identity.into()) }))
    }

    /// Publishes that something came to be as it should.
    pub async fn normal(&self, about: &ObjectReference, reason: &str, note: &str) {
        self.publish(about, EventType::Normal, reason, note).await;
    }

    /// Publishes that something needs attention.
    pub async fn warning(&self, about: &ObjectReference, reason: &str, note: &str) {
        self.publish(about, EventType::Warning, reason, note).await;
    }

    async fn publish(&self, about: &ObjectReference, type_: EventType, reason: &str, note: &str) {
        let note = Some(one_line(note));
        let event = Event { type_, reason: reason.into(), note, action: "Reconcile".into(), secondary: None };
        // The condition says the same; an Event that is not written is no reason to stop.
        if let Err(error) = self.0.publish(&event, about).await {
            tracing::debug!(%error, "Event {reason} was not written");
        }
    }
}
