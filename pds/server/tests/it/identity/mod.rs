//! `com.atproto.identity.*` and the well-known document behind it.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::on_both;

on_both!(a_handle_changes_everywhere_or_nowhere, |pds| async move {
    // AL-IDN-2
    let alice = pds.person("alice").await;
    pds.person("bob").await;
    let mut firehose = pds.firehose(None).await;
    let update = |handle: &str| alice.call("com.atproto.identity.updateHandle", json!({"handle": handle}));

    assert_eq!(update("bob.pds.test").await.error(), (400, "HandleNotAvailable"));
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(update("alicia.pds.test").await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alice.pds.test")]).await.ok()["did"],
        json!(alice.did)
    );

    assert_eq!(update("alicia.pds.test").await.status, 200);
    assert_eq!(firehose.next().await.kind, "#identity");
    let last = pds.directory.log(&alice.did.parse().unwrap()).pop().unwrap();
    assert_eq!(last.operation.also_known_as, ["at://alicia.pds.test"]);
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alicia.pds.test")]).await.ok()["did"],
        json!(alice.did)
    );
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alice.pds.test")]).await.error(),
        (400, "HandleNotFound")
    );
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alicia.pds.test");
});

on_both!(the_well_known_document_answers_by_host, |pds| async move {
    let alice = pds.person("alice").await;
    let ask = async |host: &str| {
        let answer =
            pds.http.get(format!("{}/.well-known/atproto-did", pds.url)).header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("alice.pds.test").await, (200, alice.did.clone()));
    assert_eq!(ask("nobody.pds.test").await.0, 404);
});
