//! The implementations that are compared.

use clap::ValueEnum;

/// Which implementation, on which storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The product on SQLite and disk.
    Sqlite,
    /// The product on PostgreSQL and S3.
    Postgres,
    /// The reference implementation, on SQLite and disk.
    Reference,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite + disk",
            Self::Postgres => "Postgres + S3",
            Self::Reference => "reference",
        }
    }
}
