//! The URL of Redis.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A Redis URL. It can contain a password, so `Debug` and `Display` show only scheme, host and port.
#[derive(Clone)]
pub struct RedisUrl(SecretString);

impl RedisUrl {
    /// The allowed form, for people.
    pub const FORM: &str = "redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT, with /NUMBER for a database";

    /// # Errors
    /// What is wrong. [`RedisUrl::FORM`] says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err("has a scheme that is neither redis nor rediss".into());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("has no host".into());
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return Err("has a database that is not a number".into());
        }
        Ok(Self(text.into()))
    }

    /// The URL for `host:port`. `None` if it is not a valid address.
    pub(crate) fn of(address: &str, password: Option<&SecretString>) -> Option<Self> {
        let mut url = Url::parse(&format!("redis://{address}")).ok()?;
        url.set_password(password.map(ExposeSecret::expose_secret)).ok()?;
        Some(Self(String::from(url).into()))
    }

    /// The URL with its password, to connect with. Never log it.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.expose_secret().to_owned()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(self.0.expose_secret()) else { return f.write_str("redis://") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}
