//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A database URL. The Postgres form may hold a password, so `Debug` and `Display` show scheme, host and name only.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A SQLite file, created when absent.
    Sqlite(PathBuf),
    /// The whole `postgres://` URL.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Takes `sqlite:path`, `sqlite://path`, `postgres://..` or `postgresql://..`. The error never holds the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains([':', '?', '#', '%']) {
                return Err("the SQLite form takes a plain file path: no parameters, no escapes, no :memory:");
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("has a scheme that is neither sqlite nor postgres");
        }
        if url.host_str().is_none() && !url.query_pairs().any(|(key, _)| key == "host") {
            return Err("names no host");
        }
        Ok(Self::Postgres(SecretString::from(text)))
    }

    /// True for the SQLite form: one replica, secrets may be generated.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// The file of the SQLite form.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// The URL with its password, for connecting; never log it.
    #[must_use]
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.expose_secret().to_owned(),
        }
    }
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
