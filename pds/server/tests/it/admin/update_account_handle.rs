//! `com.atproto.admin.updateAccountHandle`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.updateAccountHandle";

on_both!(the_host_may_give_out_handles_that_are_kept_from_others, |pds| async move {
    let (alice, _bob) = (pds.person("alice").await, pds.person("bob").await);
    let own = alice.call("com.atproto.identity.updateHandle", json!({"handle": "support.pds.test"})).await;
    assert_eq!(own.error(), (400, "HandleNotAvailable"));
    let mut firehose = pds.firehose(None).await;
    pds.admin(METHOD, json!({"did": alice.did, "handle": "support.pds.test"})).await.ok();
    let event = firehose.next().await;
    assert_eq!(event.kind, "#identity");
    assert!(event.bytes.windows(16).any(|bytes| bytes == b"support.pds.test"));
    let resolved = pds.query("com.atproto.identity.resolveHandle", &[("handle", "support.pds.test")]).await.ok();
    assert_eq!(resolved["did"], alice.did);
    let refused = |handle: &str| pds.admin(METHOD, json!({"did": alice.did, "handle": handle}));
    for (handle, error) in [
        ("bob.pds.test", "HandleNotAvailable"),
        ("x.pds.test", "InvalidHandle"),
        ("much-too-long-for-this.pds.test", "InvalidHandle"),
        ("a.b.pds.test", "InvalidHandle"),
    ] {
        assert_eq!(refused(handle).await.error(), (400, error), "{handle}");
    }
    let input = json!({"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "handle": "carol.pds.test"});
    assert_eq!(pds.admin(METHOD, input).await.error(), (400, "NotFound"));
});
