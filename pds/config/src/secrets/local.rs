//! Generated secrets of a server with SQLite: made at the first start and stored in a file beside the database.
//!
//! Pure functions. The server reads and writes the file (mode 0600) and provides random bytes. Order of use: [`file`], [`parse`], combine with
//! the environment, which has priority, [`generate_missing`], write the file with [`render`], read the settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};

use super::Secrets;
use crate::reader::Reader;
use crate::table::{setting, var};

/// The secrets that can be generated. S3 credentials and database passwords are issued by other servers.
const GENERATED: [&str; 4] = [var::JWT_SECRET, var::ADMIN_PASSWORD, var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY];

/// The generated secrets whose loss makes existing accounts useless: one signs for their identities, the other decrypts their signing keys.
pub const IRREPLACEABLE: [&str; 2] = [var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY];

/// The file of the generated secrets: `secrets.env` in the data directory.
///
/// `None` if the database is PostgreSQL or its URL is wrong: each replica would generate other keys.
pub fn file(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let mut reader = Reader::new(&lookup);
    let data_directory = reader.value(&setting::DATA_DIRECTORY);
    let database = Secrets::read_database(&mut reader, &data_directory)?;
    database.is_sqlite().then(|| data_directory.join("secrets.env"))
}

/// New values for the secrets for which `lookup` has neither a value nor a `_FILE`. No rotation key if one in AWS KMS is named.
///
/// `random` must fill its argument with cryptographically secure random bytes.
pub fn generate_missing(
    lookup: impl Fn(&str) -> Option<String>,
    mut random: impl FnMut(&mut [u8]),
) -> BTreeMap<&'static str, SecretString> {
    let has_text = |name: &str| lookup(name).is_some_and(|value| !value.trim().is_empty());
    let is_set = |name: &str| has_text(name) || has_text(&format!("{name}_FILE"));
    // A rotation key in AWS KMS takes the place of one here.
    let is_elsewhere = |name: &str| name == var::PLC_ROTATION_KEY && is_set(var::PLC_ROTATION_KEY_KMS_KEY_ID);
    let missing = GENERATED.into_iter().filter(|name| !is_set(name) && !is_elsewhere(name));
    missing
        .map(|name| {
            // People type the password, so it is shorter. The other secrets are keys of 32 bytes. The chance that one is not a valid
            // secp256k1 key is below 2^-127.
            let mut bytes = if name == var::ADMIN_PASSWORD { vec![0; 16] } else { vec![0; 32] };
            random(&mut bytes);
            (name, SecretString::from(HEXLOWER.encode(&bytes)))
        })
        .collect()
}

/// Parses the file: lines `NAME=value`. Skips empty lines and lines that begin with `#`.
///
/// # Errors
/// The number of the first line, from 1, that has another form or the name of another variable.
pub fn parse(text: &str) -> Result<BTreeMap<String, SecretString>, usize> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| match line.split_once('=') {
            Some((name, value)) if GENERATED.contains(&name) => Ok((name.to_owned(), SecretString::from(value))),
            _ => Err(number),
        })
        .collect()
}

/// The text of the file for these secrets, in the form that [`parse`] reads.
pub fn render<N: AsRef<str>>(secrets: &BTreeMap<N, SecretString>) -> String {
    let mut text =
        String::from("# Generated at the first start. Back this file up: without these keys the accounts are lost.\n");
    for (name, secret) in secrets {
        writeln!(text, "{}={}", name.as_ref(), secret.expose_secret()).expect("writing to a String cannot fail");
    }
    text
}
