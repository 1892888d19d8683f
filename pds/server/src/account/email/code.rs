//! Codes that are mailed.

use std::fmt;

use pds_store::email_token::Purpose;
use sha2::{Digest, Sha256};

/// What codes consist of: base32, which has no characters that are mistaken for each other. Apps expect codes of this form.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of each half.
const HALF: usize = 5;
/// The longest text that is looked at as a code.
const LONGEST: usize = 64;

/// A code: `ABCDE-23456`. Only `Display` shows it.
pub struct Code(String);

impl Code {
    /// A new random code.
    pub(super) fn random() -> Self {
        let letter = |_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]);
        let half = || (0..HALF).map(letter).collect::<String>();
        Self(format!("{}-{}", half(), half()))
    }

    pub(super) fn hash(&self, purpose: Purpose) -> [u8; 32] {
        hash(&self.0, purpose)
    }
}

/// The hash of a code as a person typed it: in whatever case, with spaces around it.
pub(super) fn hash_of(text: &str, purpose: Purpose) -> Option<[u8; 32]> {
    let text = text.trim();
    (text.len() <= LONGEST).then(|| hash(&text.to_ascii_uppercase(), purpose))
}

fn hash(code: &str, purpose: Purpose) -> [u8; 32] {
    Sha256::digest(format!("e-mail code: {}: {code}", purpose.name())).into()
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_as_people_type_it_and_for_its_purpose_alone() {
        let code = Code::random();
        let text = code.to_string();
        assert!(text.len() == 11 && text.as_bytes()[5] == b'-', "{text}");
        let stored = code.hash(Purpose::ResetPassword);
        assert_eq!(hash_of(&format!(" {} ", text.to_lowercase()), Purpose::ResetPassword), Some(stored));
        assert_ne!(hash_of(&text, Purpose::DeleteAccount), Some(stored));
        assert_ne!(Code::random().to_string(), text);
        assert_eq!(hash_of(&"A".repeat(65), Purpose::ResetPassword), None);
        assert_eq!(format!("{code:?}"), "Code(..)");
    }
}
