//! `com.atproto.server.deleteSession`

use crate::{harness::send, on_both};

on_both!(logging_out_takes_the_refresh_token, |pds| async move {
    let alice = pds.person("alice").await;
    let log_out = async |token: &str| alice.with_refresh("com.atproto.server.deleteSession", token).await;
    assert_eq!(log_out(&alice.access).await.error(), (400, "InvalidToken"));
    assert_eq!(log_out(&alice.refresh).await.status, 200);
    // Once more is no error: the session is gone.
    assert_eq!(log_out(&alice.refresh).await.status, 200);
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));
    assert_eq!(send(pds.post("com.atproto.server.deleteSession")).await.error(), (401, "AuthMissing"));
});
