//! The URL of the database.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::choice::DatabaseType;

/// A database URL. A PostgreSQL URL can contain a password, so `Debug` and `Display` show only scheme, host and database name.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A SQLite file. It is created if it does not exist.
    Sqlite(PathBuf),
    /// A complete `postgres://` URL.
    Postgres(SecretString),
}

/// Why a text is not a database URL. The message continues a sentence that begins with the name of the variable. Never contains the text or
/// a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDatabaseUrl(&'static str);

impl DatabaseUrl {
    /// The forms that [`DatabaseUrl::parse`] accepts, in words.
    pub const FORM: &str = "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE, in which every character of USER, PASSWORD and DATABASE \
                            other than A-Z a-z 0-9 - . _ ~ is percent-encoded (@ is %40, / is %2F, % is %25)";

    /// Accepts `sqlite:path`, `sqlite://path`, `postgres://..` and `postgresql://..`.
    ///
    /// Refuses URLs that parsers read in different ways. With an unencoded `/`, `#`, `?` or `@` in the password, the host would be another than
    /// the intended one, and a part of the password would appear in messages as the name of a host or database.
    ///
    /// # Errors
    /// What is wrong. [`DatabaseUrl::FORM`] says what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains([':', '?', '#', '%']) {
                return Err(InvalidDatabaseUrl(
                    "is not a plain file path: parameters, escapes and :memory: are not supported",
                ));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        parse_postgres(text).map_err(InvalidDatabaseUrl)?;
        Ok(Self::Postgres(SecretString::from(text)))
    }

    /// Which database it is.
    #[must_use]
    pub fn kind(&self) -> DatabaseType {
        match self {
            Self::Sqlite(_) => DatabaseType::Sqlite,
            Self::Postgres(_) => DatabaseType::Postgres,
        }
    }

    /// True for SQLite: there is one replica, and secrets may be generated.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// The SQLite file, or `None` for PostgreSQL.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// The URL with its password, to connect with. Never log it.
    #[must_use]
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.expose_secret().to_owned(),
        }
    }
}

/// Checks the Postgres form.
fn parse_postgres(text: &str) -> Result<(), &'static str> {
    const NOT_ENCODED: &str = "has a character in the user name or password that must be percent-encoded";
    let Some((scheme, rest)) = text.split_once("://") else { return Err("is not a URL") };
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err("has a scheme that is neither sqlite nor postgres");
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // An @ or # after the host belongs to a password with an unencoded / or ?, or to one that was written to name another host.
    if path.contains(['@', '#']) || query.contains(['@', '#']) {
        return Err(NOT_ENCODED);
    }
    if authority.rsplit_once('@').is_some_and(|(user, _)| !is_encoded(user)) {
        return Err(NOT_ENCODED);
    }
    let name = path.strip_prefix('/').unwrap_or_default();
    if name.contains('/') || !is_encoded(name) {
        return Err("has a database name with a character that must be percent-encoded");
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => "has a port that is not a number from 1 to 65535",
        url::ParseError::EmptyHost => "has no host",
        _ => "is not a URL",
    })?;
    if url.host_str().is_none_or(str::is_empty) && !url.query_pairs().any(|(key, _)| key == "host") {
        return Err("has no host");
    }
    Ok(())
}

/// Whether all characters are allowed by RFC 3986 in a user name and password, and each `%` precedes two hex digits.
fn is_encoded(text: &str) -> bool {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let fits = match byte {
            b'%' => (0..2).all(|_| rest.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Postgres(url) = self else { return f.write_str(&self.expose()) };
        let Ok(url) = Url::parse(url.expose_secret()) else { return f.write_str("postgres://") };
        write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
        f.write_str(url.path())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
