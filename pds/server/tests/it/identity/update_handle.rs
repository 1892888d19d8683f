//! `com.atproto.identity.updateHandle` in its rules; how it changes is in the module above`

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::json;

use crate::{
    harness::{Database, NameServer, TestPds, send},
    on_both,
};

on_both!(handles_of_this_host_have_rules, |pds| async move {
    let alice = pds.person("alice").await;
    for (handle, error) in [
        ("ab.pds.test", "InvalidHandle"),
        ("nineteen-characters.pds.test", "InvalidHandle"),
        ("a.b.pds.test", "InvalidHandle"),
        ("admin.pds.test", "HandleNotAvailable"),
        ("postmaster.pds.test", "HandleNotAvailable"),
        ("elsewhere.invalid", "InvalidHandle"),
    ] {
        let refused = alice.call("com.atproto.identity.updateHandle", json!({"handle": handle})).await;
        assert_eq!(refused.error(), (400, error), "{handle}: {}", refused.body);
    }
    let app_password = alice.app_password("client", false).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    client.call("com.atproto.identity.updateHandle", json!({"handle": "Eighteen-Chars-Lon.pds.test"})).await.ok();
    assert_eq!(client.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "eighteen-chars-lon.pds.test");
});

/// A name server that a stranger chooses may be silent: nobody gets more lookups than for [`super::resolve_handle`].
#[tokio::test]
async fn the_proof_of_a_handle_takes_a_turn_at_lookups() {
    let names = NameServer::start().await;
    names.silence("silent");
    let settings = [("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string())];
    let pds = TestPds::with(Database::sqlite(), &settings).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let update = |token: String, address: &'static str, handle: String| {
        let request = pds.post("com.atproto.identity.updateHandle").bearer_auth(token).json(&json!({"handle": handle}));
        send(request.header("x-forwarded-for", address))
    };
    let handles = (0..24).map(|n| format!("alice{n}.silent.dev"));
    let mut asked: FuturesUnordered<_> =
        handles.map(|handle| update(alice.access.clone(), "203.0.113.1", handle)).collect();
    assert_eq!(asked.next().await.unwrap().error(), (400, "InvalidHandle"));
    assert!((1..=8).contains(&names.asked("silent")), "{} lookups", names.asked("silent"));
    // Another address does not wait for the rest.
    names.set(&bob.did);
    update(bob.access.clone(), "203.0.113.2", "bob.elsewhere.dev".to_owned()).await.ok();
    assert!(names.asked("silent") < 24);
}
