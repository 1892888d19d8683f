//! The engine against the protocol's fixtures, against the reference library, and against itself.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod data_model;
mod fixtures;
mod properties;
mod reference;

use std::path::PathBuf;

/// A file of the interop vectors.
fn interop(file: &str) -> String {
    let folder = std::env::var("AURORA_INTEROP_DIR")
        .expect("AURORA_INTEROP_DIR is not set: run `make test`, which fetches the vectors");
    let path = PathBuf::from(folder).join("atproto").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
