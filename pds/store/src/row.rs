//! Rows with names and types.

/// A struct that is decoded from a row of either driver. Its fields are in the order of the columns: looking up a column by its name costs
/// more than decoding it.
macro_rules! row {
    ($visibility:vis struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $visibility struct $name {
            $($field: $type,)*
        }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            usize: sqlx::ColumnIndex<R>,
            $($type: sqlx::Type<R::Database> + sqlx::Decode<'r, R::Database>,)*
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                let mut columns = 0..;
                Ok(Self { $($field: row.try_get(columns.next().unwrap_or(usize::MAX))?,)* })
            }
        }

        impl TryFrom<&rusqlite::Row<'_>> for $name {
            type Error = rusqlite::Error;

            fn try_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0..;
                Ok(Self { $($field: row.get(columns.next().unwrap_or(usize::MAX))?,)* })
            }
        }
    };
}

pub(crate) use row;
