//! `com.atproto.identity.refreshIdentity`

use std::sync::atomic::Ordering;

use pds_identity::plc;
use serde_json::{Value, json};

use crate::{
    harness::{Mover, send},
    on_both,
};

const DID: &str = "com.atproto.identity.resolveDid";
const REFRESH: &str = "com.atproto.identity.refreshIdentity";

on_both!(a_refresh_finds_what_the_cache_does_not_have, |pds| async move {
    // AL-IDN-4
    let mover = Mover::new(&*pds.directory).await;
    let names = async |method: &str| -> Value {
        let answer = match method {
            REFRESH => send(pds.post(REFRESH).json(&json!({"identifier": mover.did}))).await,
            method => pds.query(method, &[("did", mover.did.as_str())]).await,
        };
        answer.ok()["didDoc"]["alsoKnownAs"][0].clone()
    };
    assert_eq!(names(DID).await, "at://alice.elsewhere.org");
    let last = plc::Directory::last(&*pds.directory, &mover.did).await.unwrap();
    let next = last.with_handle(&"alicia.elsewhere.org".parse().unwrap()).sign(&mover.rotation);
    plc::Directory::submit(&*pds.directory, &mover.did, &next).await.unwrap();
    assert_eq!(names(DID).await, "at://alice.elsewhere.org");
    pds.directory.away.store(true, Ordering::Relaxed);
    let refused = send(pds.post(REFRESH).json(&json!({"identifier": mover.did}))).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(names(REFRESH).await, "at://alicia.elsewhere.org");
    assert_eq!(names(DID).await, "at://alicia.elsewhere.org");
});
