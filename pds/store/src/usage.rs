//! How much an account has, which its quota limits: bytes of its records, and of its blobs.
//!
//! Both are counted and not added up. Triggers count blobs; the commits that write records count them. The head of a repository may have been moved
//! by something that does not count: a commit of the previous release. Then whoever needs the number first counts once, and the others wait for it.

use tokio::sync::Semaphore;

use crate::{
    AccountId, Db, Error, Result, Source,
    source::{execute, on},
};

/// Repositories that are counted at once. Each count reads a whole repository.
static COUNTING: Semaphore = Semaphore::const_new(2);

/// What counts towards the quota of an account; in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Its records. `None`: not counted at the present head.
    pub records: Option<u64>,
    /// Its blobs, also those that no record refers to yet. What was taken down does not count: its owner cannot delete it.
    pub blobs: u64,
}

impl Usage {
    /// Both together; records that are not counted count as none.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.records.unwrap_or_default().saturating_add(self.blobs)
    }

    /// What the account would have if its records had so many bytes, if it grew beyond the quota by that.
    #[must_use]
    pub fn beyond(self, quota: u64, record_bytes: u64) -> Option<u64> {
        let wanted = record_bytes.saturating_add(self.blobs);
        (wanted > quota && record_bytes > self.records.unwrap_or_default()).then_some(wanted)
    }
}

pub(crate) const GET: &str = "select (select r.record_bytes from repo r where r.account_id = $1 and r.bytes_rev = r.rev), \
                              (select u.bytes from blob_usage u where u.account_id = $1)";

/// What an account has.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Usage> {
    let (records, blobs): (Option<i64>, Option<i64>) =
        on!(source, conn => sqlx::query_as(GET).bind(id.0).fetch_one(conn))
            .map_err(Error::during("read the usage of account", id))?;
    let bytes = |number: i64| number.max(0).unsigned_abs();
    Ok(Usage { records: records.map(bytes), blobs: blobs.map_or(0, bytes) })
}

/// As [`get`], with records that are counted if they were not. Counting reads the size of each record once.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn counted(db: &Db, id: AccountId) -> Result<Usage> {
    let usage = get(db, id).await?;
    if usage.records.is_some() {
        return Ok(usage);
    }
    // The semaphore is never closed.
    let _turn = COUNTING.acquire().await.ok();
    // Somebody else may have counted while this one waited.
    let usage = get(db, id).await?;
    if usage.records.is_some() {
        return Ok(usage);
    }
    let records = count_records(db, id).await?;
    Ok(Usage { records: Some(records), ..usage })
}

pub(crate) const COUNT: &str = "select h.rev, (select cast(coalesce(sum(length(r.body)), 0) as bigint) from record r \
                                where r.repo_id = $1 and r.rev <= h.rev) from repo h where h.account_id = $1";

/// Counts the records of a repository and notes their bytes, unless its head has moved meanwhile.
async fn count_records(db: &Db, id: AccountId) -> Result<u64> {
    const NOTE: &str = "update repo set record_bytes = $2, bytes_rev = $3 where account_id = $1 and rev = $3";
    let failed = || Error::during("count the bytes of records of account", id);
    let counted: Option<(String, i64)> =
        on!(db, conn => sqlx::query_as(COUNT).bind(id.0).fetch_optional(conn)).map_err(failed())?;
    let Some((rev, bytes)) = counted else { return Ok(0) };
    let mut tx = db.begin().await?;
    execute!(&mut tx, NOTE, id.0, bytes, rev).map_err(failed())?;
    tx.commit().await?;
    Ok(bytes.max(0).unsigned_abs())
}
