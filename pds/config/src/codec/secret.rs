//! Secrets. Their errors reveal only the length of the value.

use data_encoding::HEXLOWER_PERMISSIVE;
use secrecy::{ExposeSecret, SecretString};

use super::Codec;
use crate::database_url::DatabaseUrl;
use crate::redis_url::RedisUrl;

/// Order of the secp256k1 group. A private key is at least 1 and below this number.
const K256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

pub(crate) const DATABASE_URL: Codec<DatabaseUrl> = Codec {
    allowed: DatabaseUrl::FORM,
    secret: true,
    parse: |text| DatabaseUrl::parse(text).map_err(|error| error.to_string()),
    render: DatabaseUrl::expose,
};

pub(crate) const REDIS_URL: Codec<RedisUrl> = Codec {
    allowed: "redis://user:password@host:port/database, or rediss:// for TLS",
    secret: true,
    parse: RedisUrl::parse,
    render: RedisUrl::expose,
};

pub(crate) const REDIS_PASSWORD: Codec<SecretString> = secret("any text", |text| Ok(text.into()));

pub(crate) const BYPASS_KEY: Codec<SecretString> = secret("at least 16 characters", |text| at_least(text, 16));

pub(crate) const ACCESS_KEY: Codec<SecretString> = secret("as the S3 server issued it", |text| Ok(text.into()));

pub(crate) const JWT_SECRET: Codec<SecretString> =
    secret("at least 16 random characters, for example 32 hex digits", |text| at_least(text, 16));

pub(crate) const ADMIN_PASSWORD: Codec<SecretString> = secret("at least 8 characters", |text| at_least(text, 8));

pub(crate) const K256_KEY: Codec<SecretString> = secret("64 hex digits that are a secp256k1 private key", |text| {
    let key = hex_32_bytes(text)?;
    match key != [0; 32] && key < K256_ORDER {
        true => Ok(text.to_ascii_lowercase().into()),
        false => Err("is not in the range of secp256k1 private keys".into()),
    }
});

pub(crate) const SEAL_KEY: Codec<SecretString> = secret("64 random hex digits", |text| {
    hex_32_bytes(text)?;
    Ok(text.to_ascii_lowercase().into())
});

const fn secret(allowed: &'static str, parse: fn(&str) -> Result<SecretString, String>) -> Codec<SecretString> {
    Codec { allowed, secret: true, parse, render: |secret| secret.expose_secret().to_owned() }
}

fn at_least(text: &str, length: usize) -> Result<SecretString, String> {
    match text.chars().count() {
        count if count < length => Err(format!("has {count} characters")),
        _ => Ok(text.into()),
    }
}

fn hex_32_bytes(text: &str) -> Result<[u8; 32], String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| "is not hexadecimal")?;
    bytes.try_into().map_err(|bytes: Vec<u8>| format!("has {} bytes", bytes.len()))
}
