//! Language tags.

use std::sync::Arc;

use crate::text::text_type;

/// A well-formed BCP 47 tag with a primary language of two or three lower-case letters. Source: RFC 5646 section 2.1 (form, not registry).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(Arc<str>);
text_type!(Language, "language tag");

const GRANDFATHERED: [&str; 17] = [
    "en-gb-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-be-fr",
    "sgn-be-nl",
    "sgn-ch-de",
];

impl Language {
    fn check(text: &str) -> Result<(), &'static str> {
        const FORM: &str = "must be a well-formed BCP 47 language tag";
        if GRANDFATHERED.contains(&text.to_ascii_lowercase().as_str()) {
            return Ok(());
        }
        let parts: Vec<&str> = text.split('-').collect();
        let alpha = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphabetic());
        let alnum = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric());
        let private = |rest: &[&str]| !rest.is_empty() && rest.iter().all(|p| alnum(p) && p.len() <= 8);
        if parts[0].eq_ignore_ascii_case("x") {
            return if private(&parts[1..]) { Ok(()) } else { Err(FORM) };
        }
        if !parts[0].bytes().all(|b| b.is_ascii_lowercase()) || parts[0].len() < 2 || parts[0].len() > 3 {
            return Err(FORM);
        }
        let mut at = 1;
        let mut extlangs = 0;
        while at < parts.len() && extlangs < 3 && alpha(parts[at]) && parts[at].len() == 3 {
            at += 1;
            extlangs += 1;
        }
        if at < parts.len() && alpha(parts[at]) && parts[at].len() == 4 {
            at += 1;
        }
        if at < parts.len()
            && ((alpha(parts[at]) && parts[at].len() == 2)
                || (parts[at].len() == 3 && parts[at].bytes().all(|b| b.is_ascii_digit())))
        {
            at += 1;
        }
        while at < parts.len()
            && alnum(parts[at])
            && ((5..=8).contains(&parts[at].len())
                || (parts[at].len() == 4 && parts[at].as_bytes()[0].is_ascii_digit()))
        {
            at += 1;
        }
        while at < parts.len() && alnum(parts[at]) && parts[at].len() == 1 {
            if parts[at].eq_ignore_ascii_case("x") {
                return if private(&parts[at + 1..]) { Ok(()) } else { Err(FORM) };
            }
            let first = at + 1;
            at = first;
            while at < parts.len() && alnum(parts[at]) && (2..=8).contains(&parts[at].len()) {
                at += 1;
            }
            if at == first {
                return Err(FORM);
            }
        }
        if at == parts.len() { Ok(()) } else { Err(FORM) }
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}
