//! Identifiers as text.
//!
//! Every type accepts exactly the texts that its grammar, a regular expression, accepts. The canonical text of an accepted text is accepted,
//! gives an equal value, and is the same in JSON.

use std::{fmt::Debug, str::FromStr, sync::LazyLock};

use pds_crypto::PublicKey;
use pds_repo::Cid;
use pds_syntax::{AtIdentifier, AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, RepoPath, Tid};
use regex_lite::Regex;
use serde::{Serialize, de::DeserializeOwned};

const DID: &str = "did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]";
const HANDLE: &str = r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const NSID: &str = r"[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+\.[a-zA-Z][a-zA-Z0-9]{0,62}";
const RECORD_KEY: &str = "[a-zA-Z0-9_~.:-]{1,512}";
const TID: &str = "[2-7a-j][2-7a-z]{12}";
/// RFC 5646 section 2.1; the protocol requires lower case in the first part.
const LANGUAGE: &str = "[a-z]{2,3}(-[a-zA-Z]{3}){0,3}(-[a-zA-Z]{4})?(-([a-zA-Z]{2}|[0-9]{3}))?(-([a-zA-Z0-9]{5,8}|[0-9][a-zA-Z0-9]{3}))*\
    (-[a-wy-zA-WY-Z0-9](-[a-zA-Z0-9]{2,8})+)*(-[xX](-[a-zA-Z0-9]{1,8})+)?|[xX](-[a-zA-Z0-9]{1,8})+|\
    (?i:en-GB-oed|i-ami|i-bnn|i-default|i-enochian|i-hak|i-klingon|i-lux|i-mingo|i-navajo|i-pwn|i-tao|i-tay|i-tsu|sgn-BE-FR|sgn-BE-NL|sgn-CH-DE)";
const DATETIME: &str = "([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:[.][0-9]{1,20})?\
    (?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";

struct Grammar {
    did: Regex,
    handle: Regex,
    nsid: Regex,
    record_key: Regex,
    tid: Regex,
    language: Regex,
    datetime: Regex,
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$")).expect("a regular expression");
    Grammar {
        did: whole(DID),
        handle: whole(HANDLE),
        nsid: whole(NSID),
        record_key: whole(RECORD_KEY),
        tid: whole(TID),
        language: whole(LANGUAGE),
        datetime: whole(DATETIME),
    }
});

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    check_type::<Did>(text, did(text));
    check_type::<Handle>(text, handle(text));
    check_type::<AtIdentifier>(text, did(text) || handle(text));
    check_type::<Nsid>(text, nsid(text));
    check_type::<RecordKey>(text, record_key(text));
    check_type::<Tid>(text, GRAMMAR.tid.is_match(text));
    check_type::<RepoPath>(
        text,
        text.split_once('/').is_some_and(|(collection, rkey)| nsid(collection) && record_key(rkey)),
    );
    check_type::<AtUri>(text, at_uri(text));
    check_type::<Language>(text, GRAMMAR.language.is_match(text));
    check_type::<Datetime>(text, datetime(text));
    check_type::<Cid>(text, cid(text));
    if let Ok(key) = PublicKey::from_did_key(text) {
        assert_eq!(key.did_key(), text, "each key has exactly one text form");
    }
}

fn check_type<T>(text: &str, valid: bool)
where
    T: FromStr<Err: Debug> + ToString + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let json = serde_json::to_string(text).expect("a text is JSON");
    let (parsed, read) = (text.parse::<T>(), serde_json::from_str::<T>(&json));
    assert_eq!(parsed.is_ok(), valid, "{} {text:?}: {parsed:?}", std::any::type_name::<T>());
    assert_eq!(read.is_ok(), valid);
    let (Ok(parsed), Ok(read)) = (parsed, read) else { return };
    let canonical = parsed.to_string();
    assert!(canonical.eq_ignore_ascii_case(text), "{canonical:?} for {text:?}");
    assert_eq!(canonical.parse::<T>().as_ref().ok(), Some(&parsed));
    assert_eq!(read, parsed);
    assert_eq!(serde_json::to_string(&parsed).ok(), serde_json::to_string(&canonical).ok());
}

fn did(text: &str) -> bool {
    text.len() <= 2048 && GRAMMAR.did.is_match(text)
}

fn handle(text: &str) -> bool {
    text.len() <= 253 && GRAMMAR.handle.is_match(text)
}

fn nsid(text: &str) -> bool {
    text.len() <= 317 && GRAMMAR.nsid.is_match(text)
}

fn record_key(text: &str) -> bool {
    text != "." && text != ".." && GRAMMAR.record_key.is_match(text)
}

fn at_uri(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("at://").filter(|_| text.len() <= 8 * 1024) else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    let rule = |part: usize, rule: fn(&str) -> bool| parts.get(part).is_none_or(|part| rule(part));
    parts.len() <= 3 && rule(0, |name| did(name) || handle(name)) && rule(1, nsid) && rule(2, record_key)
}

/// Whether a text matches the grammar, its day exists, and its time is in the years 0 to 9999.
fn datetime(text: &str) -> bool {
    let Some(found) = GRAMMAR.datetime.captures(text).filter(|_| text.len() <= 64) else { return false };
    let number = |at: usize| found.get(at).and_then(|part| part.as_str().parse::<i16>().ok()).unwrap_or(-1);
    let day = jiff::civil::Date::new(number(1), number(2) as i8, number(3) as i8);
    let first = (number(1), number(2), number(3)) == (0, 1, 1);
    let zone = text.get(text.len() - 6..).unwrap_or_default();
    let (time, minutes) = (number(4) * 60 + number(5), |zone: &str| {
        zone[..2].parse().unwrap_or(0) * 60 + zone[3..].parse::<i16>().unwrap_or(0)
    });
    let last = (number(1), number(2), number(3)) == (9999, 12, 31);
    let behind = zone.strip_prefix('-').map_or(0, minutes);
    day.is_ok()
        && zone != "-00:00"
        && !(first && time < zone.strip_prefix('+').map_or(0, minutes))
        && !(last && time + behind >= 24 * 60)
}

/// Whether the crate `cid`, which supports all forms, accepts the text, and the CID has the form that the protocol uses.
fn cid(text: &str) -> bool {
    text.parse::<cid::Cid>().is_ok_and(|cid| {
        let form = cid.version() == cid::Version::V1 && [0x55, 0x71].contains(&cid.codec());
        form && cid.hash().code() == 0x12 && cid.hash().size() == 32 && cid.to_string() == text
    })
}
