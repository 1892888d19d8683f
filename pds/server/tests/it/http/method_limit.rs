//! Methods with limits of their own: what refuses at which number, and what a write costs.

use std::time::Duration;

use serde_json::json;

use super::rate_limit::{limited, number};
use crate::harness::send;

#[tokio::test]
async fn each_limit_refuses_at_its_number_and_not_before() {
    // AL-RL-2
    let pds = limited(&[]).await;
    let alice = pds.person("alice").await;
    pds.clock.freeze();
    let nobody = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let sign_up = json!({"handle": "bob.pds.test", "email": "bob@example.com", "password": "correct horse", "inviteCode": "none"});
    for (method, input, count, policy) in [
        ("server.createAccount", sign_up, 100, "100;w=300"),
        ("server.resetPassword", json!({"token": "AAAAA-AAAAA", "password": "new password"}), 50, "50;w=300"),
        ("server.deleteAccount", json!({"did": nobody, "password": "p", "token": "AAAAA-AAAAA"}), 50, "50;w=300"),
        ("identity.updateHandle", json!({"handle": "admin.pds.test"}), 10, "10;w=300"),
        ("identity.requestPlcOperationSignature", json!(null), 5, "5;w=3600"),
    ] {
        let ask = async |client: &str| {
            let request = pds.post(&format!("com.atproto.{method}")).header("x-forwarded-for", client);
            let request = if input.is_null() { request } else { request.json(&input) };
            // The methods that ask for nobody look at no token.
            let is_own = method.starts_with("identity.");
            send(if is_own { request.bearer_auth(&alice.access) } else { request }).await
        };
        for n in 1..=count {
            let answer = ask("198.51.100.1").await;
            assert_ne!(answer.status, 429, "{method}, call {n}: {}", answer.body);
        }
        let refused = ask("198.51.100.1").await;
        assert_eq!(refused.error(), (429, "RateLimitExceeded"), "{method}");
        assert_eq!(refused.headers["ratelimit-policy"], policy, "{method}");
        // By address or by account.
        let elsewhere = ask("198.51.100.2").await;
        assert_eq!(elsewhere.status == 429, method.starts_with("identity."), "{method}: {}", elsewhere.body);
    }
}

#[tokio::test]
async fn writes_cost_points() {
    // AL-RL-2, AL-RL-3
    let pds = limited(&[("RATE_LIMIT_AUTHENTICATED_BURST", "1000")]).await;
    let alice = pds.person("alice").await;
    pds.clock.freeze();
    let writes = async |count: usize, kind: &str| {
        let write = json!({"$type": format!("com.atproto.repo.applyWrites#{kind}"), "collection": "com.example.thing",
            "rkey": "none", "value": {}});
        let input = json!({"repo": alice.did, "writes": vec![write; count]});
        alice.call("com.atproto.repo.applyWrites", input).await
    };
    // 200 creations cost 600, and nothing of them has to succeed.
    for n in 1..=8 {
        let answer = writes(200, "create").await;
        assert_ne!(answer.status, 429, "{n}");
    }
    assert_eq!(writes(67, "create").await.error(), (429, "RateLimitExceeded"));
    assert_ne!(writes(95, "update").await.status, 429);
    let thing = |rkey: &str| json!({"repo": alice.did, "collection": "com.example.thing", "rkey": rkey, "record": {}});
    let answer = alice.call("com.atproto.repo.createRecord", thing("a")).await;
    assert_eq!((answer.status.as_u16(), number(&answer, "ratelimit-remaining")), (200, 7));
    assert_eq!(answer.headers["ratelimit-policy"], "5000;w=3600");
    let answer = alice.call("com.atproto.repo.putRecord", thing("b")).await;
    assert_eq!((answer.status.as_u16(), number(&answer, "ratelimit-remaining")), (200, 5));
    let answer = alice.call("com.atproto.repo.deleteRecord", thing("b")).await;
    assert_eq!((answer.status.as_u16(), number(&answer, "ratelimit-remaining")), (200, 4));
    alice.call("com.atproto.repo.createRecord", thing("c")).await.ok();
    assert_eq!(alice.call("com.atproto.repo.createRecord", thing("d")).await.error(), (429, "RateLimitExceeded"));
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.status, 200);
    pds.clock.forward(Duration::from_secs(3600));
    assert_eq!(alice.call("com.atproto.repo.createRecord", thing("d")).await.status, 200);
}
