//! Waits until a watch has shown an object that was just made.
//!
//! Whoever waits may keep others waiting meanwhile, so the wait has an end, and it ends early when the object is gone: its owner may delete it before
//! the watch shows it.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::Api;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks at what the watch has shown.
const POLL: Duration = Duration::from_millis(10);
/// Between two questions to the API server whether the object is still there.
const LOOK: Duration = Duration::from_millis(500);

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The watch has shown the object.
    Shown,
    /// The object is gone, or another one has its name.
    Gone,
    /// The time is up.
    Late,
}

/// Waits for `is_shown` until `deadline`. `made` is the object as the API server answered it.
pub async fn sight<K>(api: &Api<K>, made: &K, deadline: Instant, is_shown: impl Fn() -> bool) -> Sight
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut looked = Instant::now();
    loop {
        if is_shown() {
            return Sight::Shown;
        }
        let now = Instant::now();
        if now >= deadline {
            return Sight::Late;
        }
        if now - looked >= LOOK {
            // An error says nothing about the object.
            if let Ok(Ok(live)) = timeout_at(deadline, api.get_opt(&made.name_any())).await
                && live.is_none_or(|live| live.uid() != made.uid())
            {
                return Sight::Gone;
            }
            looked = Instant::now();
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    fn made() -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": "a", "uid": "1"}})).unwrap()
    }

    /// Waits while the API server answers this, or nothing; gives how it ended and after how many seconds.
    async fn wait(answer: Option<(u16, Value)>, is_shown: impl Fn() -> bool) -> (Sight, f64) {
        let (service, mut handle) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
        let api = Api::<ConfigMap>::namespaced(Client::new(service, "ns"), "ns");
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Some((_, send)) = handle.next_request().await {
                let Some((code, value)) = &answer else {
                    open.push(send);
                    continue;
                };
                let body = Body::from(serde_json::to_vec(value).unwrap());
                send.send_response(http::Response::builder().status(*code).body(body).unwrap());
            }
        });
        let began = Instant::now();
        let ended = sight(&api, &made(), began + LONGEST, is_shown).await;
        server.abort();
        (ended, began.elapsed().as_secs_f64())
    }

    fn missing() -> Option<(u16, Value)> {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404});
        Some((404, status))
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_watch_shows_ends_the_wait() {
        assert_eq!(wait(missing(), || true).await, (Sight::Shown, 0.0));
        let looks = AtomicUsize::new(0);
        let (ended, seconds) = wait(missing(), || looks.fetch_add(1, Ordering::SeqCst) == 7).await;
        assert!(ended == Sight::Shown && seconds < 0.1, "{ended:?} after {seconds} s");
    }

    /// C1 of the twelfth attack: a claim that was gone kept everybody waiting for five seconds.
    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_not_waited_for() {
        let other = json!({"metadata": {"name": "a", "uid": "2"}});
        for answer in [missing(), Some((200, other))] {
            let (ended, seconds) = wait(answer, || false).await;
            assert!(ended == Sight::Gone && seconds < 1.0, "{ended:?} after {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_shows_nothing_is_not_waited_for_for_ever() {
        let there = json!({"metadata": {"name": "a", "uid": "1"}});
        for answer in [Some((200, there)), Some((500, json!({}))), None] {
            let (ended, seconds) = wait(answer, || false).await;
            assert!(ended == Sight::Late && (4.9..5.6).contains(&seconds), "{ended:?} after {seconds} s");
        }
    }
}
