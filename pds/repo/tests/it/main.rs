//! The engine, compared with the fixtures of the protocol and the reference library; and properties of the engine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod damage;
mod data_model;
mod feed;
mod fixtures;
mod limits;
mod properties;
mod reference;

use std::path::PathBuf;

/// A text file of the interop vectors.
fn interop(file: &str) -> String {
    String::from_utf8(interop_bytes(file)).unwrap()
}

/// A file of the interop vectors.
fn interop_bytes(file: &str) -> Vec<u8> {
    let folder = std::env::var("AURORA_INTEROP_DIR")
        .expect("AURORA_INTEROP_DIR is not set: run `make test`, which fetches the vectors");
    let path = PathBuf::from(folder).join("atproto").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
