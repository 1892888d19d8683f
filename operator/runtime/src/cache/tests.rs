use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::*;

fn object(name: &str, instance: &str, version: &str) -> ConfigMap {
    let labels = (!instance.is_empty()).then(|| [(labels::INSTANCE.to_owned(), instance.to_owned())].into());
    let metadata = ObjectMeta {
        name: Some(name.into()),
        namespace: Some("ns".into()),
        labels,
        uid: Some(version.into()),
        ..Default::default()
    };
    ConfigMap { metadata, ..Default::default() }
}

fn names(cache: &Cache<ConfigMap>, instance: &str) -> Vec<String> {
    cache.of_instance("ns", instance).iter().map(|object| object.name_any()).collect()
}

#[test]
fn objects_are_found_by_instance() {
    let cache = Cache::default();
    let key = |name: &str| ("ns".to_owned(), name.to_owned());
    assert_eq!(cache.apply(None, Event::Apply(object("one", "a", "1"))), [key("a")]);
    assert_eq!(cache.apply(None, Event::Apply(object("two", "a", "1"))), [key("a")]);
    assert_eq!(cache.apply(None, Event::Apply(object("two", "a", "1"))), []);
    assert_eq!(cache.apply(None, Event::Apply(object("other", "", "1"))), []);
    assert_eq!(names(&cache, "a"), ["one", "two"]);
    assert_eq!(cache.apply(None, Event::Delete(object("one", "a", "1"))), [key("a")]);
    assert_eq!(names(&cache, "a"), ["two"]);
    cache.apply(None, Event::Delete(object("two", "a", "1")));
    assert!(cache.state.read().unwrap().instances.is_empty());
}

/// A watch that broke off misses deletions; the list after it shows them.
#[test]
fn a_list_removes_what_it_does_not_show() {
    let cache = Cache::default();
    for name in ["one", "two"] {
        cache.apply(None, Event::Apply(object(name, name, "1")));
    }
    cache.apply(None, Event::Init);
    cache.apply(None, Event::InitApply(object("two", "two", "1")));
    assert_eq!(names(&cache, "one"), ["one"], "nothing goes before the list is complete");
    assert_eq!(cache.apply(None, Event::InitDone), [("ns".to_owned(), "one".to_owned())]);
    assert!(names(&cache, "one").is_empty());
    assert_eq!(names(&cache, "two"), ["two"]);
}

#[test]
fn the_list_of_one_namespace_leaves_the_others() {
    let cache = Cache::default();
    cache.apply(Some("ns"), Event::Apply(object("one", "a", "1")));
    cache.apply(Some("else"), Event::Init);
    assert_eq!(cache.apply(Some("else"), Event::InitDone), []);
    assert_eq!(names(&cache, "a"), ["one"]);
}
