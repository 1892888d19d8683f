//! Secrets of a server that runs alone on SQLite: made on the first start, kept in one file beside the database.
//!
//! Pure functions: the server reads and writes the file (mode 0600) and brings the randomness. Order of use:
//! [`file`] → [`parse`] → overlay under the environment → [`generate_missing`] → write with [`render`] → read settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};

use super::Secrets;
use crate::reader::Reader;
use crate::table::{setting, var};

/// What can be generated. Never the keys of a bucket or a database's password: somebody else gives those.
const GENERATED: [&str; 4] = [var::JWT_SECRET, var::ADMIN_PASSWORD, var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY];

/// Those of them without which accounts that exist are lost: one signs for their identities, the other opens their signing keys.
pub const IRREPLACEABLE: [&str; 2] = [var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY];

/// Where generated secrets are kept: `secrets.env` in the data directory.
///
/// `None` if the database is Postgres or its URL is wrong: replicas that generate would each have their own keys.
pub fn file(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let mut reader = Reader::new(&lookup);
    let data_directory = reader.value(&setting::DATA_DIRECTORY);
    let database = Secrets::read_database(&mut reader, &data_directory)?;
    database.is_sqlite().then(|| data_directory.join("secrets.env"))
}

/// New values for the secrets that `lookup` does not have, neither by name nor as a `_FILE`.
///
/// `random` fills its argument from a cryptographic source.
pub fn generate_missing(
    lookup: impl Fn(&str) -> Option<String>,
    mut random: impl FnMut(&mut [u8]),
) -> BTreeMap<&'static str, SecretString> {
    let is_set = |name: &str| lookup(name).is_some_and(|value| !value.trim().is_empty());
    let missing = GENERATED.into_iter().filter(|name| !is_set(name) && !is_set(&format!("{name}_FILE")));
    missing
        .map(|name| {
            // A password is typed by a person; the rest are keys of 32 bytes. Chance never picks an illegal
            // secp256k1 key: fewer than one value in 2^127 is.
            let mut bytes = if name == var::ADMIN_PASSWORD { vec![0; 16] } else { vec![0; 32] };
            random(&mut bytes);
            (name, SecretString::from(HEXLOWER.encode(&bytes)))
        })
        .collect()
}

/// Reads the file: `NAME=value` lines; blank lines and lines that begin with `#` are skipped.
///
/// # Errors
/// The number of the first line, from 1, that is none of these or names something that is not a generated secret.
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

/// The text of the file for these secrets; [`parse`] gives them back.
pub fn render<N: AsRef<str>>(secrets: &BTreeMap<N, SecretString>) -> String {
    let mut text = String::from("# Made on the first start. Keep a copy: without these keys the accounts are lost.\n");
    for (name, secret) in secrets {
        writeln!(text, "{}={}", name.as_ref(), secret.expose_secret()).expect("a String takes all text");
    }
    text
}
