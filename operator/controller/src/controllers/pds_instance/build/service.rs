//! The addresses of the PDS and of its PostgreSQL.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::validate::Validated;
use super::meta;
use crate::k8s::labels::{Component, selector};

/// XRPC, at the port that its URL implies.
pub(super) fn xrpc(wanted: &Validated) -> Service {
    let (name, port) = if wanted.tls.is_some() { ("https", 443) } else { ("http", 80) };
    build(wanted, wanted.names.0.clone(), Component::Pds, port_to(name, port, "xrpc"))
}

pub(super) fn metrics(wanted: &Validated) -> Service {
    build(wanted, wanted.names.metrics(), Component::Pds, port_to("metrics", 9464, "metrics"))
}

/// For clients, and without an address for the name of the pod.
pub(super) fn postgres(wanted: &Validated) -> [Service; 2] {
    let port = || port_to("postgres", 5432, "postgres");
    let client = build(wanted, wanted.names.postgres(), Component::Postgres, port());
    let mut headless = build(wanted, wanted.names.postgres_headless(), Component::Postgres, port());
    if let Some(spec) = &mut headless.spec {
        spec.cluster_ip = Some("None".into());
        spec.publish_not_ready_addresses = Some(true);
    }
    [client, headless]
}

fn port_to(name: &str, port: i32, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port,
        target_port: Some(IntOrString::String(target.into())),
        ..Default::default()
    }
}

fn build(wanted: &Validated, name: String, component: Component, port: ServicePort) -> Service {
    Service {
        metadata: meta::child(wanted, name, component),
        spec: Some(ServiceSpec {
            selector: Some(selector(&wanted.names.0, component)),
            ports: Some(vec![port]),
            ..Default::default()
        }),
        ..Default::default()
    }
}
