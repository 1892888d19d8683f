//! A code: making, using and disabling it.

use crate::{
    AccountId, Db, Error, Result, Source, Tx,
    row::row,
    source::{execute, on},
};

/// An invite code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invite {
    /// The code itself.
    pub code: String,
    /// Maximum number of uses.
    pub available: u32,
    /// Number of uses so far.
    pub used: u32,
    /// Whether it was withdrawn.
    pub disabled: bool,
    /// The DID that it was made for, or `admin`.
    pub for_account: String,
    /// The DID that made it, or `admin`.
    pub created_by: String,
    /// When it was made; microseconds.
    pub created_at: i64,
    /// When it expires, if it does; microseconds.
    pub expires_at: Option<i64>,
}

impl Invite {
    /// Whether it has expired at `now`, in microseconds.
    #[must_use]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

row! {
    pub(super) struct Row {
        code: String,
        available: i32,
        used: i32,
        disabled: bool,
        for_account: String,
        created_by: String,
        created_at: i64,
        expires_at: Option<i64>,
    }
}

impl From<Row> for Invite {
    fn from(row: Row) -> Self {
        Self {
            code: row.code,
            available: row.available.max(0).unsigned_abs(),
            used: row.used.max(0).unsigned_abs(),
            disabled: row.disabled,
            for_account: row.for_account,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// Makes a code. `used` and `disabled` of what is given are taken as they are.
///
/// # Errors
/// When the database cannot be written, or the code exists.
pub async fn create(tx: &mut Tx, invite: &Invite) -> Result<()> {
    const SQL: &str = "insert into invite_code \
                       (code, available, used, disabled, for_account, created_by, created_at, expires_at) \
                       values ($1, $2, $3, $4, $5, $6, $7, $8)";
    execute!(
        tx,
        SQL,
        &*invite.code,
        i32::try_from(invite.available).unwrap_or(i32::MAX),
        i32::try_from(invite.used).unwrap_or(i32::MAX),
        invite.disabled,
        &*invite.for_account,
        &*invite.created_by,
        invite.created_at,
        invite.expires_at
    )
    .map_err(Error::during("create", "invite code"))?;
    Ok(())
}

/// Uses a code for an account that the same transaction reserves. However many try at once, it is used at most as often
/// as it allows.
///
/// # Errors
/// [`Error::InviteUnusable`] if it is unknown, disabled, expired or used up, or its owner was taken down.
pub async fn consume(tx: &mut Tx, code: &str, id: AccountId, now: i64) -> Result<()> {
    const COUNT: &str = "update invite_code set used = used + 1 where code = $1 and not disabled \
                         and used < available and (expires_at is null or expires_at > $2) \
                         and not exists (select 1 from account a where a.did = for_account and a.takedown_ref is not null)";
    const USE: &str = "insert into invite_code_use (code, account_id, used_at) values ($1, $2, $3)";
    let failed = || Error::during("use invite code for account", id);
    if execute!(&mut *tx, COUNT, code, now).map_err(failed())? == 0 {
        return Err(Error::InviteUnusable);
    }
    execute!(&mut *tx, USE, code, id.0, now).map_err(failed())?;
    Ok(())
}

macro_rules! select_invite {
    ($rest:literal) => {
        concat!(
            "select code, available, used, disabled, for_account, created_by, created_at, expires_at from invite_code ",
            $rest
        )
    };
}
pub(super) use select_invite;

pub(crate) const GET: &str = select_invite!("where code = $1");
/// Whether the account that a code was made for was taken down.
const OWNER_DOWN: &str = "select count(*) from invite_code c join account a on a.did = c.for_account where c.code = $1 and a.takedown_ref is not null";

/// The code's row.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, code: &str) -> Result<Option<Invite>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(GET).bind(code).fetch_optional(conn))
        .map_err(Error::during("read", "invite code"))?;
    Ok(row.map(Invite::from))
}

/// Whether the code could be used now; the answer may be out of date when it arrives, only [`consume`] decides.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_usable(db: &Db, code: &str, now: i64) -> Result<bool> {
    let invite = get(db, code).await?;
    let usable =
        invite.is_some_and(|invite| !invite.disabled && invite.used < invite.available && !invite.is_expired(now));
    if !usable {
        return Ok(false);
    }
    let (owners_down,): (i64,) = on!(db, conn => sqlx::query_as(OWNER_DOWN).bind(code).fetch_one(conn))
        .map_err(Error::during("read the owner of", "invite code"))?;
    Ok(owners_down == 0)
}

/// Withdraws all codes that were made for an account, by its DID. Returns how many there are.
///
/// # Errors
/// When the database cannot be written.
pub async fn disable_of(tx: &mut Tx, owner: &str) -> Result<u64> {
    const SQL: &str = "update invite_code set disabled = $2 where for_account = $1";
    execute!(tx, SQL, owner, true).map_err(Error::during("disable", "invite codes of an account"))
}

/// Withdraws a code. Says whether it exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn disable(tx: &mut Tx, code: &str) -> Result<bool> {
    const SQL: &str = "update invite_code set disabled = $2 where code = $1";
    let changed = execute!(tx, SQL, code, true).map_err(Error::during("disable", "invite code"))?;
    Ok(changed == 1)
}
