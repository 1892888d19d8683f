use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::*;

fn instance(name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "ns", "uid": name, "resourceVersion": "1"});
    json!({"apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": metadata, "spec": spec})
}

/// An API server whose list and whose watch hold objects of another version of the schema among good ones.
async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let good = |name: &str| instance(name, json!({"hostname": format!("{name}.test")}));
    let unknown = |name: &str| instance(name, json!({"hostname": "a.test", "identity": {"invites": "Sometimes"}}));
    let text = if request.uri().query().unwrap_or_default().contains("watch=true") {
        let events = [unknown("worse"), good("last")].map(|object| json!({"type": "MODIFIED", "object": object}));
        events.map(|event| format!("{event}\n")).concat()
    } else {
        let items = [good("first"), unknown("bad"), good("second")];
        json!({"kind": "PdsInstanceList", "metadata": {"resourceVersion": "1"}, "items": items}).to_string()
    };
    Ok(Response::new(Body::from(text.into_bytes())))
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_hold_up_the_others() {
    let client = Client::new(tower::service_fn(answer), "ns");
    let metrics = Arc::new(Metrics::default());
    let mut cache = Cache::default();
    let config = watcher::Config::default();
    let events = cache.keep::<PdsInstance>(Api::all(client), config, metrics.clone());
    let mut events = pin!(events);
    let seen = async {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|name| name != "last") {
            seen.push(events.try_next().await.unwrap().unwrap().name_any());
        }
        seen
    };
    let seen = tokio::time::timeout(Duration::from_secs(5), seen).await.unwrap();
    assert_eq!(seen, ["first", "second", "last"]);
    let names: Vec<_> = cache.all::<PdsInstance>().await.unwrap().iter().map(|pds| pds.name_any()).collect();
    assert!(names.len() == 3 && !names.contains(&"bad".to_owned()), "{names:?}");
    let counted = metrics.text().unwrap();
    assert!(counted.contains("aurora_operator_unreadable_objects_total{kind=\"PdsInstance\"} 2"), "{counted}");
}

#[tokio::test]
async fn a_cache_that_saw_nothing_says_nothing() {
    let cache = Cache::default();
    assert!(cache.get::<PdsInstance>("ns", "a").is_none());
    assert!(cache.all::<PdsInstance>().await.is_none());
    assert!(cache.of_instance::<PdsInstance>("ns", "a").await.is_none());
}
