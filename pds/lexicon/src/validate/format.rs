//! String formats.

use std::str::FromStr;

use cid::Cid;
use pds_syntax::{AtIdentifier, AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, Tid};

use crate::document::Format;

pub(super) fn matches(format: Format, text: &str) -> bool {
    match format {
        Format::AtIdentifier => text.parse::<AtIdentifier>().is_ok(),
        Format::AtUri => text.parse::<AtUri>().is_ok(),
        Format::Cid => is_cid(text),
        Format::Datetime => text.parse::<Datetime>().is_ok(),
        Format::Did => text.parse::<Did>().is_ok(),
        Format::Handle => text.parse::<Handle>().is_ok(),
        Format::Language => text.parse::<Language>().is_ok(),
        Format::Nsid => text.parse::<Nsid>().is_ok(),
        Format::RecordKey => text.parse::<RecordKey>().is_ok(),
        Format::Tid => text.parse::<Tid>().is_ok(),
        Format::Uri => is_uri(text),
        Format::Later => true,
    }
}

/// The words of the reference implementation, where it has some.
pub(super) fn describe(format: Format) -> &'static str {
    match format {
        Format::AtIdentifier => "a valid did or a handle",
        Format::AtUri => "a valid at-uri",
        Format::Cid => "a cid string",
        Format::Datetime => "a timestamp like 1985-04-12T23:20:50.123Z",
        Format::Did => "a valid did",
        Format::Handle => "a valid handle",
        Format::Language => "a well-formed BCP 47 language tag",
        Format::Nsid => "a valid nsid",
        Format::RecordKey => "a valid Record Key",
        Format::Tid => "a valid TID",
        Format::Uri => "a uri",
        Format::Later => "a string",
    }
}

/// Whether a text is a CID in the form that encoding gives. The parser alone also accepts upper case, other bases and trailing characters.
pub(super) fn is_cid(text: &str) -> bool {
    // Decoding takes quadratic time in some bases. Real CIDs are far shorter.
    text.len() <= 128 && Cid::from_str(text).is_ok_and(|cid| cid.to_string() == text)
}

/// Whether a text has a scheme according to RFC 3986 and a rest without white space, and at most 8 KiB. The rest depends on the scheme and is
/// not checked, as in other implementations.
fn is_uri(text: &str) -> bool {
    const MAX_BYTES: usize = 8 << 10;
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    text.len() <= MAX_BYTES
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(legal)
        && rest.contains(|c| c != '/')
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}
