//! `app.bsky.notification.registerPush` and `unregisterPush`

use serde_json::{Value, json};

use crate::{
    harness::{APP_VIEW, TestPds, Upstream},
    proxy::token::verified,
};

const REGISTER: &str = "app.bsky.notification.registerPush";
const UNREGISTER: &str = "app.bsky.notification.unregisterPush";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

fn device(service: &str) -> Value {
    json!({"serviceDid": service, "token": "device", "platform": "ios", "appId": "xyz.app"})
}

#[tokio::test]
async fn devices_are_registered_at_the_service_that_they_name() {
    let (app_view, other) = (Upstream::start().await, Upstream::start().await);
    let pds = TestPds::with_app_view(&app_view, &[("PDS_DISABLE_SSRF_PROTECTION", "true")]).await;
    let alice = pds.person("alice").await;
    for (service, did) in [(&app_view, APP_VIEW), (&other, OTHER)] {
        pds.directory.add_service(OTHER, "bsky_notif", "BskyNotificationService", other.url());
        for method in [REGISTER, UNREGISTER] {
            service.json(method, 200, &[], json!({}));
            assert_eq!(alice.call(method, device(did)).await.status, 200);
            let seen = service.last();
            assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), device(did));
            verified(&pds, &alice, seen.token(), did, Some(method)).await;
        }
    }
    other.json(REGISTER, 400, &[], json!({"error": "InvalidToken", "message": "no such device"}));
    assert_eq!(alice.call(REGISTER, device(OTHER)).await.error(), (400, "InvalidToken"));
    for (service, message) in [
        ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "could not resolve did document: did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
        (
            "did:plc:3jpt2mvvsumj2r7eqk4gzzjz",
            "invalid notification service details in did document: did:plc:3jpt2mvvsumj2r7eqk4gzzjz",
        ),
    ] {
        pds.directory.add_service("did:plc:3jpt2mvvsumj2r7eqk4gzzjz", "bsky_notif", "SomethingElse", other.url());
        let answer = alice.call(REGISTER, device(service)).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"));
        assert_eq!(answer.body["message"], message);
    }
    assert_eq!(alice.call(REGISTER, json!({"serviceDid": OTHER})).await.error(), (400, "InvalidRequest"));
}
