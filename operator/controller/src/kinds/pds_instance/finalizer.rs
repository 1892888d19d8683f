//! The finalizer: on an instance only while data is to be deleted with it.

use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use operator_api::{PdsClass, PdsInstance};
use operator_runtime::tolerant::Single;
use operator_runtime::turns::Turns;
use serde_json::{Value, json};

use super::conditions::stored;
use super::held::{self, Stored};
use super::wanted::Deletes;
use crate::context::Ctx;
use crate::options::{CONTROLLER_NAME, Options};

pub use super::held::FINALIZER;

/// Instances that [`release`] lists at once. Each has up to 1.5 MB.
const PAGE: u32 = 10;

/// Adds the finalizer if data is to be deleted with the instance, and removes it if not.
pub(super) async fn keep_finalizer(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<()> {
    let wanted = Deletes::of(pds.spec.deletion_policy.as_ref()).any();
    let has = pds.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if wanted == has {
        return Ok(());
    }
    let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
    let uid = pds.uid().unwrap_or_default();
    change_finalizer(&ctx.client, &ctx.fetching, &namespace, &name, &uid, wanted).await
}

/// Sets or removes the finalizer. What a watch showed may be old by now, so the instance is read again, whatever its size. A removal names the
/// finalizer alone, so whoever keeps writing to the instance does not keep it there.
///
/// # Errors
/// What the API server answers. An answer that cannot be read is an error, too.
pub(super) async fn change_finalizer(
    client: &kube::Client,
    turns: &Turns,
    namespace: &str,
    name: &str,
    uid: &str,
    wanted: bool,
) -> kube::Result<()> {
    const TRIES: usize = 20;
    for tries in 1.. {
        // Both answers are the whole instance.
        let _turn = turns.take(namespace).await;
        let Some(text) = held::text(client, namespace, name).await? else { return Ok(()) };
        let live = held::read(&text).map_err(kube::Error::SerdeError)?;
        drop(text);
        if live.uid != uid {
            return Ok(());
        }
        let Some(patch) = patch(&live, wanted) else { return Ok(()) };
        let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
        let request = held::requests(namespace).patch(name, &PatchParams::default(), &Patch::Json::<()>(patch));
        match client.request_text(request.map_err(kube::Error::BuildRequest)?).await {
            // 422: another finalizer came or went meanwhile, and ours is at another place.
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) && tries < TRIES => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// The JSON patch that sets or removes the finalizer; nothing if it is as it should be.
fn patch(live: &Stored, wanted: bool) -> Option<Value> {
    let uid = json!({"op": "test", "path": "/metadata/uid", "value": live.uid});
    match (live.finalizers.place, wanted) {
        (Some(_), true) | (None, false) => None,
        (Some(place), false) => {
            let path = format!("/metadata/finalizers/{place}");
            let ours = json!({"op": "test", "path": path, "value": FINALIZER});
            Some(json!([uid, ours, {"op": "remove", "path": path}]))
        }
        (None, true) if live.finalizers.count > 0 => {
            Some(json!([uid, {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}]))
        }
        // Without the version this would take a list away that came meanwhile.
        (None, true) => {
            let version = json!({"op": "test", "path": "/metadata/resourceVersion", "value": live.resource_version});
            Some(json!([uid, version, {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]))
        }
    }
}

/// Removes the finalizer from every instance that this installation serves, so that nothing waits for an operator that is gone. Data is
/// retained then. An instance whose class is gone belongs to the installation with the usual controller name.
///
/// # Errors
/// What the API server answers: to a list, or to the first of the instances that could not be changed. All others were.
pub async fn release(client: &kube::Client, options: &Options) -> kube::Result<usize> {
    let classes = Api::<PdsClass>::all(client.clone()).list(&ListParams::default()).await?.items;
    let is_default = |class: &&PdsClass| class.spec.default == Some(true) && options.serves(class);
    let default = classes.iter().find(is_default).map(ResourceExt::name_any);
    let is_served = |pds: &DynamicObject| {
        let text = |path: &str| pds.data.pointer(path).and_then(|value| value.as_str());
        let chosen = text("/spec/className").or_else(|| text("/status/className")).or(default.as_deref());
        match classes.iter().find(|class| Some(class.name_any().as_str()) == chosen) {
            Some(class) => options.serves(class),
            None => options.controller_name == CONTROLLER_NAME,
        }
    };
    // As they are stored: an instance that this version cannot read has a finalizer, too.
    let kind = ApiResource::erase::<PdsInstance>(&());
    let waits = |pds: &DynamicObject| pds.finalizers().iter().any(|name| name == FINALIZER);
    let (mut waiting, mut unreadable) = (Vec::new(), Vec::new());
    for namespace in options.scope().watches() {
        let api: Api<Single<DynamicObject>> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = api.list(&page).await?;
            for found in list.items {
                let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
                match found.0 {
                    Ok(pds) if waits(&pds) && is_served(&pds) => waiting.push((namespace, name, pds.uid())),
                    Ok(_) => {}
                    Err(_) => unreadable.push((namespace, name)),
                }
            }
            let Some(token) = list.metadata.continue_.filter(|token| !token.is_empty()) else { break };
            page = page.continue_token(&token);
        }
    }
    let (mut released, mut failed) = (0, None);
    let mut fails = |namespace: &str, name: &str, error: kube::Error| {
        tracing::error!("PdsInstance {namespace}/{name} still waits for the operator: {error}");
        failed.get_or_insert(error);
    };
    // What a list leaves out because of its size is read by itself, without what has no bounds.
    for (namespace, name) in unreadable {
        match stored(client, &namespace, &name).await {
            Ok(Some(pds)) if waits(&pds) && is_served(&pds) => waiting.push((namespace, name, pds.uid())),
            Ok(_) => {}
            Err(error) => fails(&namespace, &name, error),
        }
    }
    let turns = Turns::new(1);
    for (namespace, name, uid) in waiting {
        let uid = uid.unwrap_or_default();
        if let Err(error) = change_finalizer(client, &turns, &namespace, &name, &uid, false).await {
            fails(&namespace, &name, error);
            continue;
        }
        tracing::info!(
            "PdsInstance {namespace}/{name} no longer waits for the operator; its data is retained when it is deleted"
        );
        released += 1;
    }
    failed.map_or(Ok(released), Err)
}

#[cfg(test)]
mod tests {
    use kube::client::Body;

    use super::super::held::Finalizers;
    use super::*;

    fn live(count: usize, place: Option<usize>) -> Stored {
        let finalizers = Finalizers { count, place };
        Stored { uid: "u".into(), resource_version: "7".into(), finalizers }
    }

    #[test]
    fn the_finalizer_is_set_beside_others_and_removed_alone() {
        let test = |path: &str, value: &str| json!({"op": "test", "path": path, "value": value});
        let uid = test("/metadata/uid", "u");
        let add = |path: &str, value: Value| json!({"op": "add", "path": path, "value": value});
        let version = test("/metadata/resourceVersion", "7");
        let first = json!([uid, version, add("/metadata/finalizers", json!([FINALIZER]))]);
        assert_eq!(patch(&live(0, None), true), Some(first));
        let beside = json!([uid, add("/metadata/finalizers/-", json!(FINALIZER))]);
        assert_eq!(patch(&live(3, None), true), Some(beside));
        let ours = test("/metadata/finalizers/2", FINALIZER);
        let alone = json!([uid, ours, {"op": "remove", "path": "/metadata/finalizers/2"}]);
        assert_eq!(patch(&live(4, Some(2)), false), Some(alone));
        assert_eq!(patch(&live(4, Some(2)), true), None);
        assert_eq!(patch(&live(4, None), false), None);
    }
    /// Changes the finalizer of the instance with the uid `u` while the API server answers this; gives the patches, and whether it went well.
    async fn change(wanted: bool, answers: Vec<(u16, String)>) -> (Vec<Value>, bool) {
        let (service, mut handle) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
        let client = kube::Client::new(service, "ns");
        let server = tokio::spawn(async move {
            let mut patches = Vec::new();
            for (code, text) in answers {
                let (request, send) = handle.next_request().await.unwrap();
                if request.method() == http::Method::PATCH {
                    let bytes = request.into_body().collect_bytes().await.unwrap();
                    patches.push(serde_json::from_slice(&bytes).unwrap());
                }
                let body = Body::from(text.into_bytes());
                send.send_response(http::Response::builder().status(code).body(body).unwrap());
            }
            patches
        });
        let changed = change_finalizer(&client, &Turns::new(1), "ns", "a", "u", wanted).await;
        (server.await.unwrap(), changed.is_ok())
    }

    fn large(uid: &str, finalizers: &[&str]) -> (u16, String) {
        let labels: serde_json::Map<_, _> = (0..60_000).map(|number| (format!("l{number:06}"), json!(""))).collect();
        let metadata = json!({"uid": uid, "resourceVersion": "7", "labels": labels, "finalizers": finalizers});
        (200, json!({"metadata": metadata}).to_string())
    }

    /// R1 of the twelfth attack. While somebody writes, the first patches meet another version or another list.
    #[tokio::test]
    async fn the_finalizer_of_a_large_instance_goes_while_somebody_writes() {
        let refused = |code: u16| (code, json!({"kind": "Status", "status": "Failure", "code": code}).to_string());
        let answers = vec![
            large("u", &[FINALIZER]),
            refused(409),
            large("u", &["test/a", FINALIZER]),
            refused(422),
            large("u", &["test/a", "test/b", FINALIZER]),
            large("u", &["test/a", "test/b"]),
        ];
        let (patches, is_done) = change(false, answers).await;
        let paths: Vec<_> = patches.iter().map(|patch| patch[2]["path"].as_str().unwrap_or_default()).collect();
        assert_eq!(paths, [0, 1, 2].map(|place| format!("/metadata/finalizers/{place}")));
        assert!(is_done);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_no_instance_without_finalizer() {
        assert_eq!(change(false, vec![(200, r#"{"metadata":{"name":"a"}}"#.into())]).await, (Vec::new(), false));
        assert_eq!(change(false, vec![large("another", &[FINALIZER])]).await, (Vec::new(), true));
    }
}
