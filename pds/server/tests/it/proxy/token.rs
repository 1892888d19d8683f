//! Service tokens, as another implementation sees them.

use std::process::Command;

use pds_identity::plc::Directory;
use serde_json::{Value, json};

use crate::harness::{Person, TestPds};

/// The claims of a token that `@atproto/xrpc-server` accepts as one of this person's.
pub(crate) async fn verified(
    pds: &TestPds,
    person: &Person,
    token: &str,
    audience: &str,
    method: Option<&str>,
) -> Value {
    let document = pds.directory.document(&person.did.parse().unwrap()).await.unwrap();
    let key = document.key("atproto").unwrap().did_key();
    let folder =
        std::env::var("AURORA_NPM_DIR").expect("AURORA_NPM_DIR is not set: run `make test`, which installs it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/proxy/verify.mjs");
    let input = json!({"token": token, "aud": audience, "lxm": method, "key": key}).to_string();
    let output = Command::new(format!("{folder}/node")).args([script, &folder, &input]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
