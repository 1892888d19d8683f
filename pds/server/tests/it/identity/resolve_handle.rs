//! `com.atproto.identity.resolveHandle`

use crate::on_both;

on_both!(handles_of_active_accounts_resolve, |pds| async move {
    let alice = pds.person("alice").await;
    let resolve = async |handle: &str| pds.query("com.atproto.identity.resolveHandle", &[("handle", handle)]).await;
    assert_eq!(resolve("Alice.pds.test").await.ok()["did"], alice.did);
    assert_eq!(resolve("nobody.pds.test").await.error(), (400, "HandleNotFound"));
    for wrong in ["", "no handle", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(resolve(wrong).await.error(), (400, "InvalidRequest"), "{wrong}");
    }
});
