//! Operations compared with the reference library, the client of the directory, and documents in the fixtures of the protocol.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod directory;
mod document;
mod operation;

use std::sync::Once;

use pds_crypto::SigningKey;
use pds_identity::plc::{self, SignedOperation};
use pds_syntax::{Did, Handle};

/// An environment variable that `make test` sets.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which sets up what tests need"))
}

fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
}

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

/// A new identity. Its signing key is dropped.
fn identity(rotation: &SigningKey, name: &str) -> (Did, SignedOperation) {
    let signing = SigningKey::generate().did_key();
    let genesis = plc::genesis(&signing, &rotation.did_key(), None, &handle(name), "https://pds.example");
    let signed = genesis.sign(rotation);
    (signed.did(), signed)
}
