//! Every type against the protocol's interop vectors: one text per line, `#` begins a comment.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use std::{fs, path::PathBuf, str::FromStr};

use pds_syntax::{AtIdentifier, AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, Tid};

fn vectors(file: &str) -> Vec<String> {
    let folder = std::env::var("AURORA_INTEROP_DIR")
        .expect("AURORA_INTEROP_DIR is not set: run `make test`, which fetches the vectors");
    let path = PathBuf::from(folder).join("atproto/syntax/testdata").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<String> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    assert!(lines.len() > 3, "{file} holds no vectors");
    lines
}

fn check<T: FromStr + ToString>(name: &str) {
    for text in vectors(&format!("{name}_syntax_valid.txt")) {
        let parsed = text.parse::<T>().unwrap_or_else(|_| panic!("{name} {text:?} is valid"));
        assert!(parsed.to_string().eq_ignore_ascii_case(&text));
    }
    for text in vectors(&format!("{name}_syntax_invalid.txt")) {
        assert!(text.parse::<T>().is_err(), "{name} {text:?} is not valid");
    }
}

#[test]
fn did() {
    check::<Did>("did");
}

#[test]
fn handle() {
    check::<Handle>("handle");
}

#[test]
fn nsid() {
    check::<Nsid>("nsid");
}

#[test]
fn record_key() {
    check::<RecordKey>("recordkey");
}

#[test]
fn tid() {
    check::<Tid>("tid");
}

#[test]
fn at_uri() {
    check::<AtUri>("aturi");
}

#[test]
fn at_identifier() {
    check::<AtIdentifier>("atidentifier");
}

#[test]
fn language() {
    check::<Language>("language");
}

#[test]
fn datetime() {
    check::<Datetime>("datetime");
    for text in vectors("datetime_parse_invalid.txt") {
        assert!(text.parse::<Datetime>().is_err(), "{text:?} names no time");
    }
}
