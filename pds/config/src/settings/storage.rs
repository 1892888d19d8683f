//! Settings of the database: the PostgreSQL connection pool, and which statements are slow. The URL of the database is a secret, because it can contain a password.

use std::time::Duration;

use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// The PostgreSQL connection pool, which has no effect on SQLite, and which statements are slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Maximum number of connections of one replica. `None`: computed by [`Database::connections`].
    pub max_connections: Option<u32>,
    /// Number of connections that stay open when idle.
    pub min_connections: u32,
    /// Maximum time to wait for a connection.
    pub connect_timeout: Duration,
    /// Idle time after which a connection is closed.
    pub idle_timeout: Duration,
    /// Age after which a connection is closed and replaced.
    pub max_lifetime: Duration,
    /// Statements that take at least this long are logged, also on SQLite.
    pub slow: Option<Duration>,
}

impl Database {
    /// Maximum number of connections of one replica on a machine with that many cores: the setting, or twice the number of cores plus one.
    #[must_use]
    pub fn connections(&self, cores: usize) -> u32 {
        let by_cores = u32::try_from(cores.saturating_mul(2)).unwrap_or(u32::MAX).saturating_add(1);
        self.max_connections.unwrap_or(by_cores)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            max_connections: reader.optional(&setting::POSTGRES_MAX_CONNECTIONS),
            min_connections: reader.value(&setting::POSTGRES_MIN_CONNECTIONS),
            connect_timeout: reader.value(&setting::POSTGRES_CONNECT_TIMEOUT),
            idle_timeout: reader.value(&setting::POSTGRES_IDLE_TIMEOUT),
            max_lifetime: reader.value(&setting::POSTGRES_MAX_LIFETIME),
            slow: Some(reader.value(&setting::SLOW_QUERY_MS)).filter(|slow| !slow.is_zero()),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { max_connections, min_connections, connect_timeout, idle_timeout, max_lifetime, slow } = self;
        out.put_some(&setting::POSTGRES_MAX_CONNECTIONS, max_connections.as_ref());
        out.put(&setting::POSTGRES_MIN_CONNECTIONS, min_connections);
        out.put(&setting::POSTGRES_CONNECT_TIMEOUT, connect_timeout);
        out.put(&setting::POSTGRES_IDLE_TIMEOUT, idle_timeout);
        out.put(&setting::POSTGRES_MAX_LIFETIME, max_lifetime);
        out.put(&setting::SLOW_QUERY_MS, &slow.unwrap_or_default());
    }
}
