//! `com.atproto.identity.resolveHandle`

use futures::{StreamExt, stream::FuturesUnordered};

use crate::{
    harness::{Database, NameServer, TestPds, send},
    on_both,
};

on_both!(handles_of_active_accounts_resolve, |pds| async move {
    let alice = pds.person("alice").await;
    let resolve = async |handle: &str| pds.query("com.atproto.identity.resolveHandle", &[("handle", handle)]).await;
    assert_eq!(resolve("Alice.pds.test").await.ok()["did"], alice.did);
    assert_eq!(resolve("nobody.pds.test").await.error(), (400, "HandleNotFound"));
    for wrong in ["", "no handle", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(resolve(wrong).await.error(), (400, "InvalidRequest"), "{wrong}");
    }
});

/// Each lookup asks servers that strangers choose.
#[tokio::test]
async fn one_address_has_few_lookups_under_way() {
    let names = NameServer::start().await;
    names.silence("silent");
    let settings = [("PDS_HANDLE_BACKUP_NAMESERVERS", names.address.to_string())];
    let pds = TestPds::with(Database::sqlite(), &settings).await;
    let resolve = |address: &'static str, handle: String| {
        let request = pds.get("com.atproto.identity.resolveHandle").query(&[("handle", handle)]);
        send(request.header("x-forwarded-for", address))
    };
    let handles = (0..24).map(|n| format!("alice{n}.silent.example"));
    let mut asked: FuturesUnordered<_> = handles.map(|handle| resolve("203.0.113.1", handle)).collect();
    // The first lookup has waited in vain, as all would have by now.
    assert_eq!(asked.next().await.unwrap().error(), (400, "HandleNotFound"));
    assert!((1..=8).contains(&names.asked("silent")), "{} lookups", names.asked("silent"));
    // Another address does not wait for the rest.
    names.set("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    let found = resolve("203.0.113.2", "bob.elsewhere.example".to_owned());
    assert_eq!(found.await.ok()["did"], "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(names.asked("silent") < 24);
}
