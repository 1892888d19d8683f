use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;

use super::*;
use crate::labels;

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

fn owned(name: &str, uid: &str, bytes: usize) -> ConfigMap {
    let owner = OwnerReference { name: "a".into(), uid: uid.into(), controller: Some(true), ..Default::default() };
    let mut object = object(name, "a", "1");
    object.metadata.owner_references = Some(vec![owner]);
    object.data = Some([("key".to_owned(), "x".repeat(bytes))].into());
    object
}

fn is_whole(cache: &Cache<ConfigMap>, name: &str) -> bool {
    cache.get("ns", name).unwrap().data.is_some()
}

/// Whoever may write to a namespace may write objects with our labels and the name of any owner.
#[test]
fn of_an_object_that_no_instance_owns_metadata_is_kept() {
    let known: Known = Arc::new(|_, owner| owner.uid == "real");
    let cache = Cache::new(Limits { known, ..Limits::default() });
    cache.apply(None, Event::Apply(owned("good", "real", 1000)));
    cache.apply(None, Event::Apply(owned("forged", "other", 1000)));
    let mut unowned = owned("unowned", "real", 1000);
    unowned.metadata.owner_references = None;
    cache.apply(None, Event::Init);
    for object in [owned("good", "real", 1000), owned("forged", "other", 1000), unowned] {
        cache.apply(None, Event::InitApply(object));
    }
    cache.apply(None, Event::InitDone);
    assert_eq!(["good", "forged", "unowned"].map(|name| is_whole(&cache, name)), [true, false, false]);
    assert_eq!(names(&cache, "a"), ["forged", "good", "unowned"], "each is still found by name");
}

/// An element of three bytes can become a struct of three kilobytes.
#[test]
fn elements_count_beside_their_text() {
    use k8s_openapi::api::core::v1::{ObjectReference, ServiceAccount};
    let cache = Cache::<ServiceAccount>::default();
    for (name, count) in [("few", 100), ("many", 300)] {
        let metadata = owned(name, "real", 0).metadata;
        let secrets = Some(vec![ObjectReference::default(); count]);
        cache.apply(None, Event::Apply(ServiceAccount { metadata, secrets, ..Default::default() }));
    }
    let count = |name: &str| cache.get("ns", name).unwrap().secrets.clone().map(|secrets| secrets.len());
    assert_eq!((count("few"), count("many")), (Some(100), None));
}

#[test]
fn a_digest_is_made_once_for_as_long_as_the_object_stays_as_it_is() {
    let cache = Cache::default();
    let asked = std::cell::Cell::new(0);
    let bytes = || {
        let digest = |object: &ConfigMap| {
            asked.set(asked.get() + 1);
            object.data.as_ref().map_or(0, |data| data["key"].len())
        };
        (*cache.digest("ns", "one", digest).unwrap(), asked.get())
    };
    cache.apply(None, Event::Apply(owned("one", "real", 10)));
    assert_eq!([bytes(), bytes()], [(10, 1), (10, 1)]);
    cache.apply(None, Event::Apply(owned("one", "real", 10)));
    assert_eq!(bytes(), (10, 1));
    cache.apply(None, Event::Apply(owned("one", "real", 20)));
    assert_eq!(bytes(), (20, 2));
}

/// Pods of one label may be many: they are not parsed all at once.
#[test]
fn of_many_objects_of_one_instance_so_many_are_parsed_at_once() {
    let cache = Cache::new(Limits { at_once: 4000, ..Limits::default() });
    for name in ["one", "two", "three"] {
        cache.apply(None, Event::Apply(owned(name, "real", 0)));
    }
    let whole = cache.of_instance("ns", "a").into_iter().filter(|object| object.data.is_some()).count();
    assert_eq!((whole, names(&cache, "a").len()), (2, 3));
}

/// Otherwise it would stay for ever: the deletion of an object that cannot be read cannot be read either.
#[test]
fn an_object_that_cannot_be_read_any_more_is_forgotten() {
    let (cache, metrics) = (Cache::default(), Metrics::default());
    let unreadable = || {
        let metadata = owned("one", "real", 0).metadata;
        Tolerant(Err(kube::core::error_boundary::InvalidObject { error: "it is too large".into(), metadata }))
    };
    for event in [Event::Apply(unreadable()), Event::Delete(unreadable())] {
        cache.apply(None, Event::Apply(owned("one", "real", 10)));
        let event = readable(event, &metrics, &|object: ConfigMap| object).unwrap();
        cache.apply(None, event);
        assert!(cache.get("ns", "one").is_none());
    }
}

#[test]
fn the_objects_of_one_instance_have_room_for_so_many_bytes() {
    let cache = Cache::default();
    for name in ["one", "two", "three"] {
        cache.apply(None, Event::Apply(owned(name, "real", INSTANCE_BYTES / 2 - 4000)));
    }
    let all = || ["one", "two", "three"].map(|name| is_whole(&cache, name));
    assert_eq!(all(), [true, true, false]);
    cache.apply(None, Event::Apply(owned("one", "real", INSTANCE_BYTES / 2)));
    assert_eq!(all(), [true, true, false], "an object may grow within what is free");
    cache.apply(None, Event::Delete(owned("one", "real", 0)));
    cache.apply(None, Event::Apply(owned("three", "real", INSTANCE_BYTES / 2 - 4000)));
    assert!(is_whole(&cache, "three"));
    assert!(cache.withheld("ns", "a").is_empty(), "what is too large is not asked for again");
}

/// A tenant may own objects by one instance and label them with the names of any number of others.
#[test]
fn an_instance_has_no_objects_on_the_account_of_others() {
    let cache = Cache::default();
    for number in 0..4 {
        let mut object = owned(&format!("o{number}"), "real", 1000);
        object.metadata.labels.as_mut().unwrap().insert(crate::labels::INSTANCE.into(), format!("x{number}"));
        cache.apply(None, Event::Apply(object));
        assert!(!is_whole(&cache, &format!("o{number}")));
    }
}

/// Objects of no instance share the room of their namespace, whatever instances they name.
#[test]
fn objects_of_no_instance_have_room_for_so_many_bytes_in_a_namespace() {
    let cache = Cache::new(Limits { unowned: 2000, namespace: 4000, ..Limits::default() });
    for number in 0..4 {
        let mut object = owned(&format!("o{number}"), "", 1000);
        object.metadata.owner_references = None;
        object.metadata.labels.as_mut().unwrap().insert(crate::labels::INSTANCE.into(), format!("x{number}"));
        cache.apply(None, Event::Apply(object));
    }
    assert_eq!(["o0", "o1", "o2", "o3"].map(|name| is_whole(&cache, name)), [true, true, true, false]);
}

/// Two watches: one may show the object before the other shows its instance.
#[test]
fn an_object_whose_instance_comes_later_is_asked_for_again() {
    let is_there = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let known: Known = {
        let is_there = is_there.clone();
        Arc::new(move |_, _| is_there.load(std::sync::atomic::Ordering::Relaxed))
    };
    let cache = Cache::new(Limits { known, ..Limits::default() });
    cache.apply(None, Event::Apply(owned("one", "real", 1000)));
    assert!(cache.withheld("ns", "a").is_empty(), "an owner that does not exist may never come");
    is_there.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(cache.withheld("ns", "a"), ["one"]);
    cache.apply(None, Event::Apply(owned("one", "real", 1000)));
    assert!(is_whole(&cache, "one") && cache.withheld("ns", "a").is_empty());
}

#[test]
fn small_objects_without_an_owner_are_kept_where_data_is_expected() {
    let cache = Cache::new(Limits { unowned: 2000, ..Limits::default() });
    for (name, bytes) in [("small", 1000), ("large", 3000)] {
        let mut object = owned(name, "", bytes);
        object.metadata.owner_references = None;
        cache.apply(None, Event::Apply(object));
    }
    assert!(is_whole(&cache, "small") && !is_whole(&cache, "large"));
}

/// The writer of an object chooses how long its annotations are, and may write any number of objects.
#[test]
fn of_an_object_that_is_not_counted_no_annotation_is_kept() {
    let known: Known = Arc::new(|_, owner| owner.uid == "real");
    let cache = Cache::new(Limits { known, ..Limits::default() });
    let annotations = || crate::labels::COMPARED.map(|key| (key.to_owned(), "x".repeat(2048)));
    for (name, uid, bytes) in [("small", "real", 1000), ("large", "real", INSTANCE_BYTES), ("forged", "other", 1000)] {
        let mut object = owned(name, uid, bytes);
        object.metadata.annotations = Some(annotations().into());
        cache.apply(None, Event::Apply(object));
    }
    let kept = ["small", "large", "forged"].map(|name| cache.get("ns", name).unwrap().metadata.annotations.is_some());
    assert_eq!(kept, [true, false, false]);
}

/// What a deletion with the policy `Orphan` leaves, and what an instance that exists takes back.
#[test]
fn objects_that_lost_their_owner_are_told_and_kept_whole_while_their_instance_exists() {
    let known = |_: &str, owner: &OwnerReference| owner.uid == "alive";
    let cache = Cache::new(Limits { known: Arc::new(known), ..Limits::default() });
    let orphan = |name: &str, uid: &str| {
        let mut object = object(name, "a", "1");
        object.labels_mut().insert(labels::OWNER_UID.into(), uid.into());
        object.data = Some([("key".to_owned(), "value".to_owned())].into());
        object
    };
    cache.apply(None, Event::Apply(orphan("lost", "gone")));
    cache.apply(None, Event::Apply(orphan("torn", "alive")));
    let mut owned = orphan("owned", "alive");
    let reference =
        OwnerReference { name: "a".into(), uid: "alive".into(), controller: Some(true), ..Default::default() };
    owned.metadata.owner_references = Some(vec![reference]);
    cache.apply(None, Event::Apply(owned));
    cache.apply(None, Event::Apply(object("other", "a", "1")));
    let mut orphans: Vec<_> = cache.orphans().iter().filter_map(|metadata| metadata.name.clone()).collect();
    orphans.sort();
    assert_eq!(orphans, ["lost", "torn"]);
    let whole = |name: &str| cache.get("ns", name).unwrap().data.is_some();
    assert!(!whole("lost") && whole("torn") && whole("owned"));
}
