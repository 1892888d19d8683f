//! Rows with names and types.

/// A struct as a row of either driver has it, its fields in the order of the columns: looking a column up by its name costs more than
/// decoding it.
macro_rules! row {
    (struct $name:ident { $($field:ident: $type:ty,)* }) => {
        struct $name {
            $($field: $type,)*
        }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            usize: sqlx::ColumnIndex<R>,
            $($type: sqlx::Type<R::Database> + sqlx::Decode<'r, R::Database>,)*
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: row.try_get(next())?,)* })
            }
        }

        impl TryFrom<&rusqlite::Row<'_>> for $name {
            type Error = rusqlite::Error;

            fn try_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: row.get(next())?,)* })
            }
        }
    };
}

pub(crate) use row;
