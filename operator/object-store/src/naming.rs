//! Names of buckets, users and roles.

use data_encoding::{Encoding, Specification};
use sha2::{Digest, Sha256};

use crate::Error;

const LONGEST: usize = 63;
/// 80 bits: nobody finds a second namespace and name with the same hash.
const HASH_BYTES: usize = 10;

/// A valid name of at most 63 characters: a readable part and a hash of namespace and name, which differs for any two instances.
///
/// Independent of UIDs, so the same on a new cluster. The user or role of the instance has the same name.
#[must_use]
pub fn bucket_name(prefix: Option<&str>, namespace: &str, name: &str) -> String {
    let hash = hash(namespace, name);
    let mut readable = String::new();
    let parts = prefix.into_iter().chain([namespace, name]);
    let characters = parts.flat_map(|part| part.chars().chain(['-']));
    for character in characters.map(|c| c.to_ascii_lowercase()) {
        let wanted = if character.is_ascii_lowercase() || character.is_ascii_digit() { character } else { '-' };
        // One hyphen at a time and none at the start.
        if wanted != '-' || !(readable.is_empty() || readable.ends_with('-')) {
            readable.push(wanted);
        }
        if readable.len() + 1 + hash.len() == LONGEST {
            break;
        }
    }
    let readable = readable.trim_end_matches('-');
    if readable.is_empty() { hash } else { format!("{readable}-{hash}") }
}

/// Whether a name has the form of derived ones: whoever may choose a name could take that of another instance beforehand.
#[must_use]
pub fn looks_derived(bucket: &str) -> bool {
    let (_, end) = bucket.rsplit_once('-').unwrap_or(("", bucket));
    end.len() == HASH_BYTES * 8 / 5 && base32().decode(end.as_bytes()).is_ok()
}

/// Whether two names were derived for one instance: they differ in the prefix at most.
#[must_use]
pub fn is_of_same_instance(one: &str, other: &str) -> bool {
    one.rsplit('-').next() == other.rsplit('-').next()
}

/// Names that are not valid would change the meaning of a URL or a policy.
pub(crate) fn check_bucket(bucket: &str) -> Result<(), Error> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ok = (3..=LONGEST).contains(&bucket.len())
        && bucket.chars().all(|c| edge(c) || c == '-' || c == '.')
        && bucket.starts_with(edge)
        && bucket.ends_with(edge)
        && !bucket.contains("..");
    if ok {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{:?} is not the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and single dots, beginning and ending with a letter or digit",
        bucket.chars().take(80).collect::<String>()
    )))
}

fn hash(namespace: &str, name: &str) -> String {
    // A namespace holds no slash, so no two pairs are hashed alike.
    let digest = Sha256::digest(format!("{namespace}/{name}"));
    base32().encode(&digest[..HASH_BYTES])
}

fn base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("32 different symbols")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_short_and_readable() {
        let long = "n".repeat(63);
        for (prefix, namespace, name) in [
            (None, "team", "pds"),
            (Some("aurora"), "team", "pds"),
            (Some("Aurora_Locus."), "team", "pds"),
            (Some("--"), "team", "a-"),
            (None, long.as_str(), long.as_str()),
            (Some(long.as_str()), "a", "b"),
            (None, "", ""),
        ] {
            let found = bucket_name(prefix, namespace, name);
            check_bucket(&found).unwrap();
        }
        assert_eq!(bucket_name(Some("aurora"), "team", "pds"), "aurora-team-pds-l3panenm2abnwqe7");
        assert!(bucket_name(None, &long, "x").starts_with(&"n".repeat(46)));
    }

    #[test]
    fn no_two_instances_share_a_name() {
        assert_ne!(bucket_name(None, "a-b", "c"), bucket_name(None, "a", "b-c"));
        let long = "n".repeat(63);
        assert_ne!(bucket_name(None, &long, "x"), bucket_name(None, &long, "y"));
        assert_ne!(bucket_name(None, "a", "b.c"), bucket_name(None, "a", "b-c"));
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for bad in ["", "ab", "A-bucket", "a/b", "bucket-", ".bucket", "a..b", "bucket*", &"x".repeat(64), "b?acl"] {
            assert!(matches!(check_bucket(bad), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
