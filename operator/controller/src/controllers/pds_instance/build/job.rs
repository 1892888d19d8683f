//! The migration of the schema: once per image and database.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::Container;

use super::super::observe::Observed;
use super::super::validate::Validated;
use super::meta;
use super::pod::{self, SERVER_USER};
use crate::k8s::hash;
use crate::k8s::labels::Component;

pub(super) fn build(wanted: &Validated, observed: &Observed) -> Option<Job> {
    let database = pod::database_env(wanted)?;
    // Another URL may be another database. The keys keep the URL from being guessed.
    let url = observed.references.database_url.as_ref();
    let url = url.map(|url| (url, observed.keys.as_ref().and_then(|keys| keys.data.as_ref())));
    let hash = hash::of(&(&wanted.image, &database, url), 10);
    let container = Container {
        name: "migrate".into(),
        image: Some(wanted.image.clone()),
        args: Some(vec!["migrate".into()]),
        env: Some(vec![database]),
        ..Default::default()
    };
    let template = pod::template(wanted, Component::Migrate, SERVER_USER, container);
    let template = pod::adjust(template, |spec| {
        spec.service_account_name = Some(wanted.names.0.clone());
        spec.restart_policy = Some("OnFailure".into());
        spec.node_selector = wanted.pod.node_selector.clone();
        spec.tolerations = wanted.pod.tolerations.clone();
    });
    Some(Job {
        metadata: meta::child(wanted, wanted.names.migrate(&hash), Component::Migrate),
        spec: Some(JobSpec {
            backoff_limit: Some(5),
            active_deadline_seconds: Some(3600),
            template,
            ..Default::default()
        }),
        ..Default::default()
    })
}
