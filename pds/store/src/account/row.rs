//! The columns of an account, in statements and in rows.

/// The columns of a statement that selects accounts, each behind the prefix of their table.
macro_rules! account_columns {
    ($table:literal) => {
        concat!(
            $table,
            "id, ",
            $table,
            "did, ",
            $table,
            "handle, ",
            $table,
            "email, ",
            $table,
            "email_confirmed_at, ",
            $table,
            "password_hash, ",
            $table,
            "token_epoch, ",
            $table,
            "created_at, ",
            $table,
            "activated_at, ",
            $table,
            "deactivated_at, ",
            $table,
            "delete_after, ",
            $table,
            "takedown_ref, ",
            $table,
            "suspended_until, ",
            $table,
            "email_auth_factor, ",
            $table,
            "deleted_at, ",
            $table,
            "quota_bytes"
        )
    };
}

/// The causes of an account's state behind the prefix of their table, in the order of the fields of [`Causes`](super::Causes).
macro_rules! status_columns {
    ($table:literal) => {
        concat!(
            $table,
            "activated_at is not null, ",
            $table,
            "takedown_ref is not null, ",
            $table,
            "suspended_until, ",
            $table,
            "deactivated_at is not null, ",
            $table,
            "deleted_at is not null"
        )
    };
}

/// A row with the columns of `status_columns!` between others, and what they say.
macro_rules! status_row {
    (
        $visibility:vis struct $name:ident {
            $($before:ident: $before_type:ty,)*
            ..status,
            $($after:ident: $after_type:ty,)*
        }
    ) => {
        row! {
            $visibility struct $name {
                $($before: $before_type,)*
                activated: bool,
                taken_down: bool,
                suspended_until: Option<i64>,
                deactivated: bool,
                deleted: bool,
                $($after: $after_type,)*
            }
        }

        impl $name {
            fn causes(&self) -> $crate::account::Causes {
                $crate::account::Causes {
                    activated: self.activated,
                    taken_down: self.taken_down,
                    suspended_until: self.suspended_until,
                    deactivated: self.deactivated,
                    deleted: self.deleted,
                }
            }
        }
    };
}

/// A row with the columns of an account, behind others.
macro_rules! account_row {
    (struct $name:ident { $($column:ident: $type:ty,)* }) => {
        row! {
            struct $name {
                $($column: $type,)*
                id: i64,
                did: Text<Did>,
                handle: Text<Handle>,
                email: Option<String>,
                email_confirmed_at: Option<i64>,
                password_hash: Option<String>,
                token_epoch: i32,
                created_at: i64,
                activated_at: Option<i64>,
                deactivated_at: Option<i64>,
                delete_after: Option<i64>,
                takedown_ref: Option<String>,
                suspended_until: Option<i64>,
                email_auth_factor: bool,
                deleted_at: Option<i64>,
                quota_bytes: Option<i64>,
            }
        }

        impl From<$name> for Account {
            fn from(row: $name) -> Self {
                Self {
                    id: AccountId(row.id),
                    did: row.did.0,
                    handle: row.handle.0,
                    email: row.email,
                    email_confirmed_at: row.email_confirmed_at,
                    password_hash: row.password_hash,
                    token_epoch: row.token_epoch,
                    created_at: row.created_at,
                    activated_at: row.activated_at,
                    deactivated_at: row.deactivated_at,
                    delete_after: row.delete_after,
                    takedown_ref: row.takedown_ref,
                    suspended_until: row.suspended_until,
                    email_auth_factor: row.email_auth_factor,
                    deleted_at: row.deleted_at,
                    quota_bytes: row.quota_bytes.map(|bytes| bytes.max(0).unsigned_abs()),
                }
            }
        }
    };
}

pub(super) use {account_columns, account_row};
pub(crate) use {status_columns, status_row};
