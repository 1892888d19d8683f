//! The connections to the database.

use sqlx::{PgPool, SqlitePool};

use crate::dialect::sqlite::reader::Readers;

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// `bulk` is for reads of many rows.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        bulk: Readers,
    },
    Postgres(PgPool),
}
