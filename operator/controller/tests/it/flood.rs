//! Many large objects of a tenant, made as fast as the API server takes them.

use futures::StreamExt;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use kube::client::Body;
use kube::{Client, Resource};
use serde_json::{Value, json};

use super::harness::World;

/// Requests at the same time.
const AT_ONCE: usize = 4;

/// The text that stands for the number of the object.
const NUMBER: &str = "NUMBER";

/// Creates objects of a kind. `NUMBER` in the text of `object` becomes the number of each.
pub(crate) async fn create<K: Resource<DynamicType = ()>>(
    world: &World,
    mut object: Value,
    numbers: impl Iterator<Item = usize>,
) {
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    let (path, text) = (K::url_path(&(), Some(&world.namespace)), object.to_string());
    let made = futures::stream::iter(numbers).map(async |number| {
        let body = text.replace(NUMBER, &number.to_string());
        send(&world.client, Method::POST, &path, "application/json", body).await;
    });
    made.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Merges `patch` into the objects that [`create`] made under the name `flood-NUMBER`.
pub(crate) async fn change<K: Resource<DynamicType = ()>>(
    world: &World,
    patch: &Value,
    numbers: impl Iterator<Item = usize>,
) {
    let (path, text) = (K::url_path(&(), Some(&world.namespace)), patch.to_string());
    let changed = futures::stream::iter(numbers).map(async |number| {
        let path = format!("{path}/flood-{number}");
        send(&world.client, Method::PATCH, &path, "application/merge-patch+json", text.clone()).await;
    });
    changed.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Sends a request and reads of the answer whether it went well. A debug build takes longer to parse an object than the API server to store it.
async fn send(client: &Client, method: Method, path: &str, kind: &str, body: String) {
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, kind);
    let request = request.header(ACCEPT, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    let request = request.header(ACCEPT_ENCODING, "identity").body(Body::from(body.into_bytes())).unwrap();
    let answer = client.send(request).await.unwrap();
    let status = answer.status();
    let text = answer.into_body().collect_bytes().await.unwrap();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&text[..text.len().min(500)]));
}
