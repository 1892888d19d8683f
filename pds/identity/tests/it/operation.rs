//! Operations are identical to those of `@did-plc/lib`. Both sign deterministically, so signatures can be compared.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use data_encoding::HEXLOWER;
use pds_crypto::SigningKey;
use pds_identity::plc::{self, Last};
use serde_json::{Value, json};

use crate::{handle, variable};

/// Runs `reference.mjs` with a task and returns its result.
fn reference(task: &Value) -> Value {
    let folder = variable("AURORA_NPM_DIR");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reference.mjs");
    let mut child = Command::new(PathBuf::from(&folder).join("node"))
        .arg(script)
        .env("AURORA_NPM_DIR", &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "reference.mjs failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn operations_and_did_equal_the_references() {
    // Several, because a wrong encoding affects only some signatures.
    for n in 0..8u8 {
        let mut secret = [7u8; 32];
        secret[31] = n;
        let (rotation, signing) = (SigningKey::from_bytes(&secret).unwrap(), SigningKey::generate());
        let recovery = (n % 2 == 0).then(|| SigningKey::generate().did_key());
        let recovery_key = recovery.as_ref().map(|key| key.parse().unwrap());
        let genesis = plc::genesis(
            &signing.did_key(),
            &rotation.did_key(),
            recovery_key.as_ref(),
            &handle("alice.pds.example"),
            "https://pds.example",
        );
        let genesis = genesis.sign(&rotation);
        let did = genesis.did();
        let update = Last::from(&genesis).with_handle(&handle("alice.example")).sign(&rotation);

        let rotation_keys: Vec<String> = recovery.into_iter().chain([rotation.did_key()]).collect();
        let theirs = reference(&json!({
            "genesis": {
                "rotationKeyHex": HEXLOWER.encode(&*rotation.to_bytes()), "signingKey": signing.did_key(),
                "handle": "alice.pds.example", "pds": "https://pds.example", "rotationKeys": rotation_keys,
            },
            "update": {"last": genesis, "handle": "alice.example"},
            "log": [genesis, update],
        }));
        assert_eq!(theirs["did"], json!(did));
        assert_eq!(theirs["genesis"], json!(genesis));
        assert_eq!(theirs["update"], json!(update));
        assert_eq!(theirs["state"]["alsoKnownAs"], json!(["at://alice.example"]));
    }
}

#[test]
fn a_new_handle_takes_the_place_of_the_first_and_all_else_stays() {
    let rotation = SigningKey::generate();
    let (_, mut genesis) = crate::identity(&rotation, "alice.pds.example");
    let names = ["https://alice.example", "at://alice.pds.example", "at://second.example"];
    genesis.operation.also_known_as = names.map(str::to_owned).to_vec();
    genesis.operation.verification_methods.insert("atproto_label".into(), SigningKey::generate().did_key());
    let last = Last::from(&genesis.operation.sign(&rotation));

    let next = last.with_handle(&handle("alice.example"));
    assert_eq!(next.also_known_as, ["https://alice.example", "at://alice.example", "at://second.example"]);
    assert_eq!(next.prev, Some(last.cid.clone()));
    assert_eq!(next.verification_methods, last.operation.verification_methods);
    assert_eq!((&next.services, &next.rotation_keys), (&last.operation.services, &last.operation.rotation_keys));

    let mut nameless = last.clone();
    nameless.operation.also_known_as = vec!["https://alice.example".into()];
    let next = nameless.with_handle(&handle("alice.example"));
    assert_eq!(next.also_known_as, ["at://alice.example", "https://alice.example"]);
}
