//! All types, checked with the interop vectors of the protocol: one text per line, `#` begins a comment.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{fs, path::PathBuf, str::FromStr};

use pds_syntax::{AtIdentifier, AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, RepoPath, Tid};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

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

/// No text panics. The canonical form of an accepted text gives an equal value, also in JSON.
fn canonical<T>(text: &str) -> Result<(), TestCaseError>
where
    T: FromStr + ToString + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let json = serde_json::to_string(text).unwrap();
    let Ok(parsed) = text.parse::<T>() else {
        prop_assert!(serde_json::from_str::<T>(&json).is_err());
        return Ok(());
    };
    let again = parsed.to_string();
    prop_assert!(again.eq_ignore_ascii_case(text));
    prop_assert_eq!(again.parse::<T>().ok(), Some(serde_json::from_str::<T>(&json).unwrap()));
    prop_assert_eq!(serde_json::to_string(&parsed).unwrap(), serde_json::to_string(&again).unwrap());
    Ok(())
}

fn canonical_in_every_type(text: &str) -> Result<(), TestCaseError> {
    canonical::<Did>(text)?;
    canonical::<Handle>(text)?;
    canonical::<Nsid>(text)?;
    canonical::<RecordKey>(text)?;
    canonical::<Tid>(text)?;
    canonical::<AtUri>(text)?;
    canonical::<AtIdentifier>(text)?;
    canonical::<RepoPath>(text)?;
    canonical::<Language>(text)?;
    canonical::<Datetime>(text)
}

proptest! {
    #[test]
    fn any_text(text: String) {
        canonical_in_every_type(&text)?;
    }

    #[test]
    fn text_that_is_nearly_right(text in "(at://)?(did:[a-z]{1,4}:)?[a-zA-Z2-7.:%_~-]{1,20}(/[a-z]{1,4}\\.[a-z]{1,4}\\.[a-zA-Z]{1,4})?(/[a-z2-7]{1,13})?") {
        canonical_in_every_type(&text)?;
    }

    #[test]
    fn text_that_is_nearly_a_time(text in "[0-9]{4}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,22})?(Z|[+-][0-2][0-9]:[0-6][0-9])?") {
        canonical::<Datetime>(&text)?;
    }

    #[test]
    fn paths_sort_like_their_bytes(a in "[a-c]{1,2}\\.[a-c]{1,2}\\.[a-c]{1,2}/[a.:~_-]{3,4}", b in "[a-c]{1,2}\\.[a-c]{1,2}\\.[a-c]{1,2}/[a.:~_-]{3,4}") {
        let (left, right) = (a.parse::<RepoPath>().unwrap(), b.parse::<RepoPath>().unwrap());
        prop_assert_eq!(left.cmp(&right), a.as_bytes().cmp(b.as_bytes()));
        let made = RepoPath::new(&left.collection().parse().unwrap(), &left.rkey().parse().unwrap());
        prop_assert_eq!(made, left);
    }

    #[test]
    fn tids_sort_like_their_time(a in 0..1u64 << 53, b in 0..1u64 << 53, clock_id: u16) {
        let (left, right) = (Tid::from_micros(a, clock_id), Tid::from_micros(b, clock_id));
        prop_assert_eq!(left.to_string().cmp(&right.to_string()), a.cmp(&b));
        prop_assert_eq!(left.to_string().parse::<Tid>().unwrap(), left);
        prop_assert_eq!((left.micros(), left.clock_id()), (a, clock_id & 0x3ff));
    }
}
