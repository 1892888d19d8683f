//! What is kept of Secrets, and what is asked for.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

#[test]
fn only_what_was_asked_for_is_kept_and_only_up_to_a_size() {
    let value = |length: usize| ByteString(vec![b'x'; length]);
    let data =
        [("small", 10), ("other", 10), ("large", LONGEST + 1)].map(|(key, length)| (key.to_owned(), value(length)));
    let labels = (0..200).map(|number| (format!("label-{number:03}"), String::new())).collect();
    let metadata = ObjectMeta { labels: Some(labels), ..Default::default() };
    let secret = Secret { metadata, data: Some(data.into()), ..Default::default() };
    let content = reduce(secret, ["small", "large", "absent"].into_iter(), &[]);
    assert_eq!(content.values.keys().collect::<Vec<_>>(), ["small"]);
    assert_eq!(content.too_long, ["large"]);
    assert_eq!(content.metadata.labels.unwrap().len(), MOST_LABELS);
}

/// A tenant writes annotations and labels that stand before ours in the order of the alphabet, as many as the API server takes.
#[test]
fn what_somebody_reads_is_kept_whatever_stands_before_it() {
    let many = |prefix: &'static str| (0..500).map(move |number| (format!("{prefix}{number:03}"), "x".repeat(60)));
    let mut labels: BTreeMap<_, _> = many("a.test/").collect();
    labels.extend(labels::all("web", "keys"));
    let mut annotations: BTreeMap<_, _> = many("auroralocus.dev/a").collect();
    annotations.insert("auroralocus.dev/bucket".into(), "b".into());
    annotations.insert("auroralocus.dev/fingerprint".into(), "x".repeat(LONGEST_ANNOTATION + 1));
    let metadata = ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..Default::default() };
    let secret = Secret { metadata, ..Default::default() };
    let kept = reduce(secret, std::iter::empty(), &["auroralocus.dev/bucket", "auroralocus.dev/fingerprint"]).metadata;
    assert_eq!(kept.annotations, Some([("auroralocus.dev/bucket".to_owned(), "b".to_owned())].into()));
    let found = kept.labels.unwrap();
    assert!(labels::all("web", "keys").iter().all(|(key, value)| found.get(key) == Some(value)), "{found:?}");
    assert_eq!(found.len(), labels::all("web", "keys").len() + MOST_LABELS);
}

#[test]
fn debug_shows_no_value() {
    let values = [("password".to_owned(), b"hunter2".to_vec())].into();
    let text = format!("{:?}", Content { values, ..Default::default() });
    assert!(text.contains("password") && !text.contains("hunter2") && !text.contains("104"), "{text}");
}

/// The name is a part of a URL: `?watch=true` would be a watch that never ends, and `?` a list of all Secrets.
#[tokio::test]
async fn what_cannot_be_a_name_is_not_asked_for() {
    let (service, mut handle) =
        tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
    let secrets = Secrets::new(Client::new(service, "ns"), &[]);
    let long = "a".repeat(254);
    for name in ["", "?", "?watch=true", "../../other/secrets/x", "a/b", "a%2fb", "A", "-a", "a.", "a..b", "é", &long]
    {
        assert_eq!(secrets.get("ns", name, &["a"]).await.unwrap(), None, "{name}");
    }
    drop(secrets);
    assert!(handle.next_request().await.is_none());
    assert!(is_name("a.b-c.1") && is_name(&long[..253]));
}

/// A Secret with the keys `a` and `b`.
fn answer() -> http::Response<kube::client::Body> {
    let data = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "data": {"a": "YQ==", "b": "Yg=="}});
    http::Response::new(kube::client::Body::from(serde_json::to_vec(&data).unwrap()))
}

/// Two instances may name different keys of one Secret.
#[tokio::test]
async fn what_one_reader_gets_does_not_depend_on_the_others() {
    let (service, mut handle) =
        tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
    let secrets = Secrets::new(Client::new(service, "ns"), &[]);
    let server = tokio::spawn(async move {
        let mut asked = 0;
        while let Some((_, send)) = handle.next_request().await {
            send.send_response(answer());
            asked += 1;
        }
        asked
    });
    let keys = async |keys: &[&str]| {
        let content = secrets.get("ns", "db", keys).await.unwrap().unwrap();
        content.values.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(&["a"]).await, ["a"]);
    assert_eq!(keys(&["b"]).await, ["b"]);
    assert_eq!(keys(&["a"]).await, ["a"]);
    assert_eq!(keys(&["a", "absent"]).await, ["a"]);
    drop(secrets);
    assert_eq!(server.await.unwrap(), 3, "what was asked before is not asked again");
}

/// K1 of the twelfth attack: every question that waited held the list of all keys that were ever asked for.
#[tokio::test]
async fn those_who_wait_for_one_secret_take_what_the_first_ones_got() {
    let (service, mut handle) =
        tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
    let secrets = Secrets::new(Client::new(service, "ns"), &[]);
    let server = tokio::spawn(async move {
        let mut open = Vec::new();
        while open.len() < READS {
            open.push(handle.next_request().await.unwrap().1);
        }
        open.into_iter().for_each(|send| send.send_response(answer()));
        assert!(handle.next_request().await.is_none(), "nobody else asks");
    });
    let many = (0..40).map(async |_| secrets.get("ns", "db", &["a"]).await.unwrap().unwrap());
    for content in futures::future::join_all(many).await {
        assert_eq!(content.text("a"), Some("a"));
    }
    drop(secrets);
    server.await.unwrap();
}
