//! The name of a key in AWS KMS.

use std::fmt;
use std::str::FromStr;

/// Maximum length of an alias, in bytes.
const ALIAS_BYTES: usize = 256;

/// The name of a key in AWS KMS: its ID, an alias, or the ARN of either. Source:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKeyId {
    text: String,
    /// Where the region and the resource of an ARN are in the text.
    arn: Option<Arn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Arn {
    region: std::ops::Range<usize>,
    resource: usize,
}

/// The text is no name of a key in AWS KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no name of a key in AWS KMS")]
pub struct InvalidKmsKeyId;

impl KmsKeyId {
    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The region of an ARN.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.arn.as_ref().map(|arn| &self.text[arn.region.clone()])
    }

    /// `key/ID` or `alias/NAME`, without region and account.
    pub(crate) fn resource(&self) -> String {
        match &self.arn {
            Some(arn) => self.text[arn.resource..].to_owned(),
            None if self.text.starts_with("alias/") => self.text.clone(),
            None => format!("key/{}", self.text),
        }
    }
}

impl FromStr for KmsKeyId {
    type Err = InvalidKmsKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKmsKeyId> {
        let arn = if text.starts_with("arn:") { Some(arn(text).ok_or(InvalidKmsKeyId)?) } else { None };
        let is_legal = match &arn {
            Some(arn) => match text[arn.resource..].strip_prefix("key/") {
                Some(id) => is_id(id),
                None => is_alias(&text[arn.resource..]),
            },
            None => is_id(text) || is_alias(text),
        };
        if is_legal { Ok(Self { text: text.to_owned(), arn }) } else { Err(InvalidKmsKeyId) }
    }
}

impl fmt::Display for KmsKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE`
fn arn(text: &str) -> Option<Arn> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [_, partition, "kms", region, account, resource] = parts[..] else { return None };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_word(partition) || !is_word(region) || account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let start = "arn:".len() + partition.len() + ":kms:".len();
    Some(Arn { region: start..start + region.len(), resource: text.len() - resource.len() })
}

/// A UUID, or `mrk-` and 32 hexadecimal digits for a key of several regions.
fn is_id(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    match text.strip_prefix("mrk-") {
        Some(digits) => digits.len() == 32 && is_hex(digits),
        None => {
            let parts: Vec<_> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| is_hex(part))
        }
    }
}

fn is_alias(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
    text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.bytes().all(is_legal))
        && text.len() <= ALIAS_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn every_form_has_its_resource_and_an_arn_its_region() {
        let arn = format!("arn:aws:kms:eu-central-1:123456789012:key/{ID}");
        let several = "mrk-1234abcd12ab34cd56ef1234567890ab";
        for (text, resource, region) in [
            (ID, format!("key/{ID}"), None),
            (several, format!("key/{several}"), None),
            ("alias/pds/rotation_1", "alias/pds/rotation_1".to_owned(), None),
            (&arn, format!("key/{ID}"), Some("eu-central-1")),
            ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/pds", "alias/pds".to_owned(), Some("us-gov-west-1")),
        ] {
            let id: KmsKeyId = text.parse().unwrap();
            assert_eq!((id.as_str(), id.resource(), id.region()), (text, resource, region));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("alias/{}", "a".repeat(251));
        for text in [
            "",
            "pds",
            "alias/",
            "alias/a b",
            "key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "1234abcd-12ab-34cd-56ef-1234567890a",
            "mrk-1234",
            "arn:aws:s3:eu-central-1:123456789012:alias/pds",
            "arn:aws:kms::123456789012:alias/pds",
            "arn:aws:kms:eu-central-1:12345:alias/pds",
            "arn:aws:kms:eu-central-1:123456789012:pds",
            &long,
        ] {
            assert_eq!(text.parse::<KmsKeyId>(), Err(InvalidKmsKeyId), "{text}");
        }
    }
}
