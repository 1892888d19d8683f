//! Which database, and how to connect to it.

use std::time::Duration;

/// Which of the two databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// One file, one process.
    Sqlite,
    /// A server, any number of processes.
    Postgres,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Maximum number of connections: to Postgres in all, to SQLite for readers beside the one writer.
    pub max_connections: u32,
    /// Number of connections to Postgres that are kept open.
    pub min_connections: u32,
    /// How long any other connection to Postgres may be idle before it is closed.
    pub idle_timeout: Duration,
    /// Age at which a connection to Postgres is replaced.
    pub max_lifetime: Duration,
    /// How long a caller waits for a connection before the call fails as unavailable.
    pub acquire_timeout: Duration,
    /// Statements that take at least this long are logged and counted.
    pub slow: Option<Duration>,
    /// The name that Postgres shows in `pg_stat_activity`.
    pub application_name: String,
    /// Certificates in PEM form that TLS to Postgres trusts beside the public authorities', unless the URL names others.
    pub ca_bundle: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 16,
            min_connections: 0,
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            acquire_timeout: Duration::from_secs(5),
            slow: None,
            application_name: "pds".to_owned(),
            ca_bundle: None,
        }
    }
}
