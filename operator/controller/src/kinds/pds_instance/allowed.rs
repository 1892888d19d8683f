//! What the class allows. Pure. Closed where the class says nothing, for everything that reaches beyond the namespace.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use operator_api::{Allowed, NetworkPolicyMode, PdsClass, PdsInstanceSpec, Reason};

use super::component::hostname;
use super::wanted::Refusal;

/// Refuses what the class does not allow.
pub(super) fn check(
    spec: &PdsInstanceSpec,
    class: &PdsClass,
    namespace: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let allowed = class.spec.allowed.clone().unwrap_or_default();
    let name = class.name_any();
    let refuse = |message: String| Err(Refusal { reason: Reason::NotAllowed, message });
    if let Some(selector) = &allowed.namespaces
        && !selects(selector, namespace)
    {
        return refuse(format!(
            "PdsClass {name:?} does not take instances of this namespace (spec.allowed.namespaces)"
        ));
    }
    domains(spec, class)?;
    if let Some(image) = &spec.image
        && !image_allowed(image, &allowed, &class.spec.images.pds)
    {
        let repositories =
            allowed.image_repositories.unwrap_or_else(|| vec![repository(&class.spec.images.pds).into()]);
        return refuse(format!("spec.image: {image:?}; PdsClass {name:?} allows {}", repositories.join(", ")));
    }
    let policy = spec.network.as_ref().and_then(|network| network.policy);
    if policy == Some(NetworkPolicyMode::Off) && allowed.network_off != Some(true) {
        return refuse(format!("spec.network.policy: Off; PdsClass {name:?} allows Enforced only"));
    }
    let kms = spec.keys.as_ref().and_then(|keys| keys.kms.as_ref());
    if let Some(kms) = kms
        && allowed.kms != Some(true)
    {
        let (key, message) = (&kms.key_id, "lets no instance have its key in AWS KMS; leave the field out");
        return refuse(format!("spec.keys.kms.keyId: {key:?}; PdsClass {name:?} {message}"));
    }
    if spec.services.is_some() && allowed.services != Some(true) {
        let message = "lets no instance name services; leave the field out";
        return refuse(format!("spec.services: PdsClass {name:?} {message}"));
    }
    let bucket = spec.blob_store.as_ref().and_then(|blobs| blobs.s3.as_ref()?.bucket.as_ref());
    if let Some(bucket) = bucket
        && allowed.bucket_names != Some(true)
    {
        let message = "lets no instance name its bucket; leave the field out";
        return refuse(format!("spec.blobStore.s3.bucket: {bucket:?}; PdsClass {name:?} {message}"));
    }
    placement(spec, &allowed, &name)
}

/// Whether `domain` is `suffix` or below it; with a leading dot, whether it is below.
fn is_within(domain: &str, suffix: &str) -> bool {
    match suffix.strip_prefix('.') {
        Some(parent) => domain != parent && is_within(domain, parent),
        None => hostname::is_at_or_below(domain, suffix),
    }
}

fn domains(spec: &PdsInstanceSpec, class: &PdsClass) -> Result<(), Refusal> {
    let Some(allowed) = &class.spec.domains else { return Ok(()) };
    let handles = spec.handle_domains.iter().flatten().map(|domain| ("spec.handleDomains", &domain.domain));
    for (field, domain) in [("spec.hostname", &spec.hostname)].into_iter().chain(handles) {
        if !allowed.iter().any(|suffix| is_within(domain, suffix)) {
            let (name, allowed) = (class.name_any(), allowed.join(", "));
            let message = format!("{field}: {domain:?}; PdsClass {name:?} allows {allowed} and what is below");
            return Err(Refusal { reason: Reason::NotAllowed, message });
        }
    }
    Ok(())
}

fn placement(spec: &PdsInstanceSpec, allowed: &Allowed, class: &str) -> Result<(), Refusal> {
    let Some(pod) = &spec.pod else { return Ok(()) };
    let placement = allowed.placement.clone().unwrap_or_default();
    let refuse = |field: &str, value: &str, allowed: &[String]| {
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        let message = format!("spec.pod.{field}: {value:?}; PdsClass {class:?} allows {allowed}");
        Err(Refusal { reason: Reason::NotAllowed, message })
    };
    if let Some(labels) = &placement.node_labels
        && let Some(label) = pod.node_selector.iter().flat_map(BTreeMap::keys).find(|label| !labels.contains(label))
    {
        return refuse("nodeSelector", label, labels);
    }
    let tolerations = placement.tolerations.unwrap_or_default();
    for toleration in pod.tolerations.iter().flatten() {
        // Without a key a toleration is for every taint.
        let key = toleration.key.as_deref().unwrap_or_default();
        if !tolerations.iter().any(|allowed| allowed == key && !key.is_empty()) {
            return refuse("tolerations", key, &tolerations);
        }
    }
    let priorities = placement.priority_class_names.unwrap_or_default();
    match &pod.priority_class_name {
        Some(priority) if !priorities.contains(priority) => refuse("priorityClassName", priority, &priorities),
        _ => Ok(()),
    }
}

/// Whether a Secret that a spec names carries the labels that the class asks for; otherwise which.
pub(super) fn secret_labels(class: &PdsClass, labels: Option<&BTreeMap<String, String>>) -> Result<(), String> {
    let wanted = class.spec.allowed.as_ref().and_then(|allowed| allowed.secret_labels.clone()).unwrap_or_default();
    let missing = wanted.iter().find(|(key, value)| labels.and_then(|labels| labels.get(*key)) != Some(value));
    missing.map_or(Ok(()), |(key, value)| Err(format!("{key}={value}")))
}

fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    // A selector that cannot be read selects nothing.
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

fn image_allowed(image: &str, allowed: &Allowed, class: &str) -> bool {
    let Some(list) = &allowed.image_repositories else { return repository(image) == repository(class) };
    list.iter().any(|entry| match entry.strip_suffix("/*") {
        Some(path) => repository(image).strip_prefix(path).is_some_and(|rest| rest.starts_with('/')),
        None => entry == image || (!entry.contains('@') && entry == repository(image)),
    })
}

/// An image without tag and digest.
pub(super) fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_no_tag_and_no_digest() {
        for (image, name) in [
            ("pds", "pds"),
            ("pds:1", "pds"),
            ("host:5000/a/pds", "host:5000/a/pds"),
            ("host:5000/a/pds:1@sha256:ab", "host:5000/a/pds"),
        ] {
            assert_eq!(repository(image), name);
        }
    }

    #[test]
    fn images_are_allowed_by_repository_path_or_digest() {
        let list = |entries: &[&str]| Allowed {
            image_repositories: Some(entries.iter().map(|entry| (*entry).to_owned()).collect()),
            ..Default::default()
        };
        assert!(image_allowed("a/pds:2", &Allowed::default(), "a/pds:1"));
        assert!(!image_allowed("evil/pds:2", &Allowed::default(), "a/pds:1"));
        assert!(image_allowed("b/pds:2", &list(&["b/pds"]), "a/pds:1"));
        assert!(!image_allowed("b/pds-evil:2", &list(&["b/pds"]), "a/pds:1"));
        assert!(image_allowed("b/c/pds", &list(&["b/*"]), "a/pds:1"));
        assert!(!image_allowed("bb/pds", &list(&["b/*"]), "a/pds:1"));
        assert!(image_allowed("b/pds@sha256:ab", &list(&["b/pds@sha256:ab"]), "a/pds:1"));
        assert!(!image_allowed("b/pds@sha256:cd", &list(&["b/pds@sha256:ab"]), "a/pds:1"));
        assert!(!image_allowed("b/pds:1", &list(&["b/pds@sha256:ab"]), "a/pds:1"));
    }

    #[test]
    fn a_domain_is_a_suffix_of_whole_labels() {
        assert!(is_within("a.example.com", "example.com") && is_within("example.com", "example.com"));
        assert!(is_within("a.example.com", ".example.com") && !is_within("example.com", ".example.com"));
        assert!(!is_within("evilexample.com", "example.com") && !is_within("com", "example.com"));
    }
}
