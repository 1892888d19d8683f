//! All instances as a watch shows them, and which of them a change concerns.

use std::collections::HashSet;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::ResourceExt;
use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use operator_api::{PdsBucketClaim, PdsClass, PdsHostnameClaim, PdsInstance};
use operator_runtime::cache::{Key, is_denied};
use operator_runtime::tolerant::Tolerant;

use crate::guarded::{Guarded, Instances};
use crate::kinds::pds_instance::component::hostname;
use crate::kinds::pds_instance::finalizer::FINALIZER;
use crate::kinds::pds_instance::observe::uses_secret;
use crate::kinds::pds_instance::wanted::in_bucket;

pub(crate) type Watched = watcher::Result<watcher::Event<Guarded>>;

/// One stream of the watches of several namespaces. The store behind it takes the end of a list for the end of all lists, so only the
/// first round is passed on as a list; later lists become changes, with a deletion for what they no longer show.
pub(crate) fn merged(watches: Vec<BoxStream<'static, Watched>>) -> BoxStream<'static, Watched> {
    let count = watches.len();
    let numbered =
        watches.into_iter().enumerate().map(|(source, watch)| watch.map(move |event| (source, event)).boxed());
    let mut lists: Vec<(HashSet<Key>, HashSet<Key>)> = vec![Default::default(); count];
    let (mut begun, mut waiting) = (false, (0..count).collect::<HashSet<_>>());
    stream::select_all(numbered)
        .flat_map(move |(source, event)| {
            let (known, listed) = &mut lists[source];
            let first = waiting.contains(&source);
            let events = match event {
                // A namespace that is gone, or where the rights are, keeps no other waiting.
                Err(error) if first && is_denied(&error) => {
                    waiting.remove(&source);
                    let end = waiting.is_empty().then_some(Ok(watcher::Event::InitDone));
                    std::iter::once(Err(error)).chain(end).collect()
                }
                Err(error) => vec![Err(error)],
                Ok(watcher::Event::Init) => {
                    listed.clear();
                    let is_start = !std::mem::replace(&mut begun, true);
                    if is_start { vec![Ok(watcher::Event::Init)] } else { Vec::new() }
                }
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(key_of(&object));
                    vec![Ok(if first { watcher::Event::InitApply(object) } else { watcher::Event::Apply(object) })]
                }
                Ok(watcher::Event::InitDone) => {
                    let gone: Vec<_> = known.difference(listed).cloned().collect();
                    *known = std::mem::take(listed);
                    waiting.remove(&source);
                    if first && waiting.is_empty() {
                        vec![Ok(watcher::Event::InitDone)]
                    } else {
                        gone.into_iter().map(|key| Ok(watcher::Event::Delete(tombstone(key)))).collect()
                    }
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(key_of(&object));
                    vec![Ok(watcher::Event::Apply(object))]
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&key_of(&object));
                    vec![Ok(watcher::Event::Delete(object))]
                }
            };
            stream::iter(events)
        })
        .boxed()
}

pub(crate) fn key_of(object: &Guarded) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Stands for a deleted instance of which only namespace and name are known, so that a reconciliation can be asked for.
pub(crate) fn tombstone((namespace, name): Key) -> Guarded {
    let metadata = ObjectMeta { namespace: Some(namespace), name: Some(name), ..Default::default() };
    Tolerant(Err(InvalidObject { error: "the object is gone".into(), metadata }))
}

pub(crate) fn strip_instance(object: &mut Guarded) {
    let metadata = match &mut object.0 {
        Ok(pds) => &mut pds.metadata,
        Err(invalid) => &mut invalid.metadata,
    };
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.annotations = None;
    metadata.owner_references = None;
    if let Some(finalizers) = &mut metadata.finalizers {
        finalizers.retain(|finalizer| finalizer == FINALIZER);
    }
}

pub(crate) fn reference((namespace, name): Key) -> ObjectRef<Guarded> {
    ObjectRef::new(&name).within(&namespace)
}

pub(crate) fn every(instances: &Instances) -> Vec<ObjectRef<Guarded>> {
    instances.state().iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
}

pub(crate) fn those(instances: &Instances, wanted: impl Fn(&PdsInstance) -> bool) -> Vec<ObjectRef<Guarded>> {
    let found = instances.state_filter(|pds| pds.0.as_ref().is_ok_and(&wanted));
    found.iter().map(|pds| ObjectRef::from_obj(&**pds)).collect()
}

pub(crate) fn of_namespace(instances: &Instances, namespace: &str) -> Vec<ObjectRef<Guarded>> {
    those(instances, |pds| pds.namespace().as_deref() == Some(namespace))
}

/// The instances that a change of a claim concerns: its holder, and those with a domain at, below or above it that do not hold all of their
/// domains. What an instance holds no other can take, so whoever makes and frees claims wakes nobody who has what he asked for.
pub(crate) fn touched_by(
    instances: &Instances,
    claims: &Store<PdsHostnameClaim>,
    claim: &PdsHostnameClaim,
) -> Vec<ObjectRef<Guarded>> {
    those(instances, |pds| {
        let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
        let holds = |domain: &String| {
            let found = claims.get(&ObjectRef::new(&hostname::claim_name(domain)));
            found.is_some_and(|found| hostname::is_held_by(&found, &namespace, &name))
        };
        let domains = hostname::domains(&pds.spec);
        hostname::is_held_by(claim, &namespace, &name)
            || domains.iter().any(|own| hostname::is_related(own, &claim.spec.hostname)) && !domains.iter().all(holds)
    })
}

/// The instances that a change of a bucket's claim concerns: its own, and those of its namespace that have no bucket yet.
pub(crate) fn waiting_for_bucket(instances: &Instances, claim: &PdsBucketClaim) -> Vec<ObjectRef<Guarded>> {
    let owner = &claim.spec.owner;
    those(instances, |pds| {
        let has_bucket = pds
            .status
            .as_ref()
            .is_some_and(|status| status.resolved.as_ref().is_some_and(|resolved| resolved.bucket.is_some()));
        let is_concerned = pds.name_any() == owner.name || (in_bucket(pds) && !has_bucket);
        is_concerned && pds.namespace().as_ref() == Some(&owner.namespace)
    })
}

/// The instances that a change of a Secret concerns. Whether an instance has the class whose defaults name the Secret is not asked: it costs a
/// reconciliation that writes nothing.
pub(crate) fn users_of_secret(
    instances: &Instances,
    classes: &Store<PdsClass>,
    own: &str,
    key: &Key,
) -> Vec<ObjectRef<Guarded>> {
    if key.0 == own {
        return every(instances);
    }
    let classes = classes.state_filter(|class| class.spec.defaults.is_some());
    those(instances, |pds| {
        let uses = |class| uses_secret(pds, class, &key.1);
        pds.namespace().as_deref() == Some(&key.0) && (uses(None) || classes.iter().any(|class| uses(Some(&**class))))
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use serde_json::json;

    use super::*;

    fn instance(name: &str) -> Guarded {
        tombstone(("n".into(), name.into()))
    }

    fn denied() -> watcher::Error {
        let status = kube::core::Status { code: 403, ..Default::default() };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    /// A tenant may delete the operator's RoleBinding in his namespace, and a host the namespace of one who leaves.
    #[test]
    fn a_namespace_whose_list_is_refused_keeps_no_other_waiting() {
        use watcher::Event::{Apply, Init, InitApply, InitDone};
        let gone = stream::iter([
            Ok(Init),
            Err(denied()),
            Ok(Init),
            Err(denied()),
            Ok(Init),
            Ok(InitApply(instance("late"))),
            Ok(InitDone),
        ]);
        let there = stream::iter([Ok(Init), Ok(InitApply(instance("one"))), Ok(InitDone)]);
        let events: Vec<_> = merged(vec![gone.boxed(), there.boxed()]).collect::<Vec<_>>().now_or_never().unwrap();
        let done = events.iter().position(|event| matches!(event, Ok(InitDone))).unwrap();
        let names = |event: &Watched| match event {
            Ok(InitApply(object) | Apply(object)) => Some(object.name_any()),
            _ => None,
        };
        assert!(
            events[..done]
                .iter()
                .any(|event| matches!(event, Ok(InitApply(_))) && names(event).as_deref() == Some("one"))
        );
        assert!(events[..].iter().any(|event| names(event).as_deref() == Some("late")));
        assert_eq!(events.iter().filter(|event| matches!(event, Ok(InitDone))).count(), 1);
        assert_eq!(events.iter().filter(|event| event.is_err()).count(), 2);

        let alone =
            merged(vec![stream::iter([Ok(Init), Err(denied())]).boxed()]).collect::<Vec<_>>().now_or_never().unwrap();
        assert!(matches!(alone[..], [Ok(Init), Err(_), Ok(InitDone)]), "a start without any namespace");
    }

    fn asks_for(namespace: &str, name: &str, domains: &[&str]) -> Guarded {
        let handles: Vec<_> = domains[1..].iter().map(|domain| json!({"domain": domain})).collect();
        let spec = json!({"hostname": domains[0], "handleDomains": handles});
        let mut pds = PdsInstance::new(name, serde_json::from_value(spec).unwrap());
        pds.metadata.namespace = Some(namespace.into());
        Tolerant(Ok(pds))
    }

    fn claim(domain: &str, namespace: &str, name: &str) -> PdsHostnameClaim {
        let owner = json!({"namespace": namespace, "name": name, "uid": "1"});
        let spec = serde_json::from_value(json!({"hostname": domain, "owner": owner})).unwrap();
        PdsHostnameClaim::new(&hostname::claim_name(domain), spec)
    }

    /// One tenant claims and frees the domain of the class, again and again.
    #[test]
    fn a_claim_wakes_its_holder_and_those_who_wait_and_nobody_else() {
        let (instances, mut writer) = kube::runtime::reflector::store();
        for pds in [
            asks_for("m", "toggling", &["one.pds.test", "pds.test"]),
            asks_for("v", "settled", &["two.pds.test"]),
            asks_for("v", "waiting", &["a.three.pds.test"]),
            asks_for("v", "elsewhere", &["other.test"]),
            asks_for("v", "above", &["test"]),
        ] {
            writer.apply_watcher_event(&watcher::Event::Apply(pds));
        }
        let (claims, mut writer) = kube::runtime::reflector::store();
        for held in [claim("one.pds.test", "m", "toggling"), claim("two.pds.test", "v", "settled")] {
            writer.apply_watcher_event(&watcher::Event::Apply(held));
        }
        let woken = touched_by(&instances, &claims, &claim("pds.test", "m", "toggling"));
        let mut names: Vec<_> = woken.into_iter().map(|found| found.name).collect();
        names.sort();
        assert_eq!(names, ["above", "toggling", "waiting"]);
    }
}
