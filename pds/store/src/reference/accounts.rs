//! `account.sqlite`: accounts, passwords, invite codes and sessions.

use std::path::Path;

use rusqlite::{Row, params, params_from_iter};

use super::{Result, file::Opened};

/// The open file.
#[derive(Debug)]
pub struct Accounts(Opened);

/// An account. Times are texts in ISO 8601.
#[derive(Clone)]
pub struct SourceAccount {
    pub did: String,
    pub handle: Option<String>,
    pub created_at: String,
    pub takedown_ref: Option<String>,
    pub deactivated_at: Option<String>,
    pub delete_after: Option<String>,
    /// `None` for an account whose owner signs in elsewhere.
    pub email: Option<String>,
    /// Salt and hash.
    pub password: Option<String>,
    pub email_confirmed_at: Option<String>,
    pub invites_disabled: bool,
}

/// An app password.
#[derive(Clone)]
pub struct AppPassword {
    pub name: String,
    /// Salt and hash.
    pub password: String,
    pub created_at: String,
    pub privileged: bool,
}

/// A session.
#[derive(Clone)]
pub struct RefreshToken {
    pub id: String,
    pub expires_at: String,
    pub next_id: Option<String>,
    pub app_password: Option<String>,
}

/// An invite code.
#[derive(Clone)]
pub struct InviteCode {
    pub code: String,
    pub available: i64,
    pub disabled: bool,
    pub for_account: String,
    pub created_by: String,
    pub created_at: String,
}

/// A use of an invite code.
#[derive(Clone)]
pub struct InviteUse {
    pub code: String,
    /// DID of the account, which may have been deleted since.
    pub used_by: String,
    pub used_at: String,
}

/// Numbers of rows that only the reference can use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LeftBehind {
    pub oauth_sessions: u64,
    /// Browsers that the pages of its OAuth provider remember.
    pub devices: u64,
    /// Codes in mails that were not used.
    pub mail_codes: u64,
}

impl Accounts {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is missing, of a version that this release does not know, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = Opened::open(path)?;
        opened.check_version("003", "007", "003 to 007")?;
        Ok(Self(opened))
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self) -> Result<u64> {
        let count: i64 =
            self.0.connection.query_row("select count(*) from actor", [], |row| row.get(0)).map_err(self.0.failed())?;
        Ok(count.max(0).unsigned_abs())
    }

    /// A page of accounts, the oldest first; `after` is the last one of the page before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page(&self, after: Option<&SourceAccount>, limit: u32) -> Result<Vec<SourceAccount>> {
        const SQL: &str = "select a.did, a.handle, a.createdAt, a.takedownRef, a.deactivatedAt, a.deleteAfter, c.email, \
                           c.passwordScrypt, c.emailConfirmedAt, coalesce(c.invitesDisabled, 0) from actor a \
                           left join account c on c.did = a.did where (a.createdAt, a.did) > (?1, ?2) \
                           order by a.createdAt, a.did limit ?3";
        let (created_at, did) = after.map_or(("", ""), |last| (&*last.created_at, &*last.did));
        let account = |row: &Row<'_>| {
            Ok(SourceAccount {
                did: row.get(0)?,
                handle: row.get(1)?,
                created_at: row.get(2)?,
                takedown_ref: row.get(3)?,
                deactivated_at: row.get(4)?,
                delete_after: row.get(5)?,
                email: row.get(6)?,
                password: row.get(7)?,
                email_confirmed_at: row.get(8)?,
                invites_disabled: row.get(9)?,
            })
        };
        self.0.all(SQL, params![created_at, did, limit], account)
    }

    /// The app passwords of an account, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn app_passwords(&self, did: &str) -> Result<Vec<AppPassword>> {
        const SQL: &str = "select name, passwordScrypt, createdAt, privileged from app_password where did = ?1 \
                           order by createdAt, name";
        self.0.all(SQL, [did], |row| {
            Ok(AppPassword {
                name: row.get(0)?,
                password: row.get(1)?,
                created_at: row.get(2)?,
                privileged: row.get(3)?,
            })
        })
    }

    /// The sessions of an account.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn refresh_tokens(&self, did: &str) -> Result<Vec<RefreshToken>> {
        const SQL: &str =
            "select id, expiresAt, nextId, appPasswordName from refresh_token where did = ?1 order by expiresAt, id";
        self.0.all(SQL, [did], |row| {
            Ok(RefreshToken {
                id: row.get(0)?,
                expires_at: row.get(1)?,
                next_id: row.get(2)?,
                app_password: row.get(3)?,
            })
        })
    }

    /// How many rows there are of what only the reference can use.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn left_behind(&self) -> Result<LeftBehind> {
        let [oauth_sessions, devices, mail_codes] = ["token", "device", "email_token"].map(|table| self.rows(table));
        Ok(LeftBehind { oauth_sessions: oauth_sessions?, devices: devices?, mail_codes: mail_codes? })
    }

    /// Number of rows of a table; none if an older version does not have it.
    fn rows(&self, table: &'static str) -> Result<u64> {
        const TABLE: &str = "select count(*) from sqlite_master where type = 'table' and name = ?1";
        let one = |sql: &str, values: &[&str]| -> Result<u64> {
            let count = self.0.connection.query_row(sql, params_from_iter(values), |row| row.get::<_, i64>(0));
            Ok(count.map_err(self.0.failed())?.unsigned_abs())
        };
        match one(TABLE, &[table])? {
            0 => Ok(0),
            _ => one(&format!("select count(*) from {table}"), &[]),
        }
    }

    /// All invite codes, and all their uses.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn invites(&self) -> Result<(Vec<InviteCode>, Vec<InviteUse>)> {
        const CODES: &str = "select code, availableUses, coalesce(disabled, 0), forAccount, createdBy, createdAt \
                             from invite_code order by createdAt, code";
        const USES: &str = "select code, usedBy, usedAt from invite_code_use order by usedAt, code, usedBy";
        let codes = self.0.all(CODES, [], |row| {
            Ok(InviteCode {
                code: row.get(0)?,
                available: row.get(1)?,
                disabled: row.get(2)?,
                for_account: row.get(3)?,
                created_by: row.get(4)?,
                created_at: row.get(5)?,
            })
        })?;
        let uses = self
            .0
            .all(USES, [], |row| Ok(InviteUse { code: row.get(0)?, used_by: row.get(1)?, used_at: row.get(2)? }))?;
        Ok((codes, uses))
    }
}
