//! Keys of objects.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// The key of an object: 8 to 128 characters of `a-z 0-9 -`. Independent of the content, and never reused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(Arc<str>);

/// The text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a blob key: allowed are 8 to 128 characters of a-z, 0-9 and -")]
pub struct InvalidKey(String);

impl BlobKey {
    /// A new key with 122 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string().into())
    }

    /// The text, as the database stores it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        match (8..=128).contains(&text.len()) && text.bytes().all(legal) {
            true => Ok(Self(text.into())),
            false => Err(InvalidKey(text.chars().take(150).collect())),
        }
    }
}

impl TryFrom<String> for BlobKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        text.parse()
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobKey({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_path() {
        for text in ["", "short", "../../etc", "abc/defgh", "ABCDEFGH", ".tmpfile1", &"a".repeat(129)] {
            assert!(text.parse::<BlobKey>().is_err(), "{text}");
        }
        let key = BlobKey::random();
        assert_eq!(key.as_str().parse(), Ok(key.clone()));
        assert_ne!(key, BlobKey::random());
    }
}
