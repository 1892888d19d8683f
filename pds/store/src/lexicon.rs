//! Lexicons that others publish, in the last version that was found. Their meaning, and how long they are used, is the caller's.

use pds_repo::Cid;

use crate::{
    Db, Error, Result, Source,
    column::FullCid,
    source::{execute, on},
};

/// Maximum number of lexicons, and of bytes of all their documents. Those that were found longest ago are forgotten for later ones.
pub const MOST: i64 = 4000;
/// See [`MOST`].
pub const MOST_BYTES: i64 = 64 << 20;

pub(crate) const GET: &str = "select uri, cid, document, checked_at from published_lexicon where nsid = $1";
pub(crate) const FORGET_BEFORE: &str = "delete from published_lexicon where checked_at < $1";

/// A lexicon as its publisher had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexicon {
    /// The record's URI.
    pub uri: String,
    /// The record's CID.
    pub cid: Cid,
    /// The document as JSON.
    pub document: String,
    /// When the publisher last had it; microseconds since 1970.
    pub checked_at: i64,
}

/// The lexicon with this NSID.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, nsid: &str) -> Result<Option<Lexicon>> {
    let row: Option<(String, FullCid, String, i64)> =
        on!(source, conn => sqlx::query_as(GET).bind(nsid).fetch_optional(conn))
            .map_err(Error::during("read lexicon", nsid))?;
    Ok(row.map(|(uri, FullCid(cid), document, checked_at)| Lexicon { uri, cid, document, checked_at }))
}

/// Keeps a lexicon, unless a replica has found a later version. Forgets the oldest beyond [`MOST`] and [`MOST_BYTES`]. Returns whether it is kept.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(db: &Db, nsid: &str, lexicon: &Lexicon) -> Result<bool> {
    const SQL: &str = "insert into published_lexicon (nsid, uri, cid, document, checked_at) values ($1, $2, $3, $4, $5) \
                       on conflict (nsid) do update set uri = excluded.uri, cid = excluded.cid, document = excluded.document, \
                       checked_at = excluded.checked_at where published_lexicon.checked_at <= excluded.checked_at";
    // The lengths are known without reading the documents.
    const KEPT: &str = "select count(*), coalesce(sum(octet_length(document)), 0) from published_lexicon";
    const FORGET_OLDEST: &str = "delete from published_lexicon where nsid in (select nsid from \
                                 (select nsid, count(*) over newest as place, sum(octet_length(document)) over newest as bytes \
                                 from published_lexicon window newest as (order by checked_at desc, nsid)) as ranked \
                                 where place > $1 or bytes > $2)";
    let during = || Error::during("keep lexicon", nsid);
    let Lexicon { uri, cid, document, checked_at } = lexicon;
    let mut tx = db.begin().await?;
    let kept = execute!(&mut tx, SQL, nsid, uri, FullCid(*cid), document, checked_at).map_err(during())?;
    let (count, bytes): (i64, i64) = on!(&mut tx, conn => sqlx::query_as(KEPT).fetch_one(conn)).map_err(during())?;
    if count > MOST || bytes > MOST_BYTES {
        execute!(&mut tx, FORGET_OLDEST, MOST, MOST_BYTES).map_err(during())?;
    }
    tx.commit().await?;
    Ok(kept == 1)
}

/// Forgets the lexicon with this NSID.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(db: &Db, nsid: &str) -> Result<()> {
    const SQL: &str = "delete from published_lexicon where nsid = $1";
    let mut tx = db.begin().await?;
    execute!(&mut tx, SQL, nsid).map_err(Error::during("forget lexicon", nsid))?;
    tx.commit().await
}

/// Forgets the lexicons that no replica has found at their publishers since then. Returns their number.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_before(db: &Db, checked_at: i64) -> Result<u64> {
    let mut tx = db.begin().await?;
    let forgotten =
        execute!(&mut tx, FORGET_BEFORE, checked_at).map_err(Error::during("forget lexicons before", checked_at))?;
    tx.commit().await?;
    Ok(forgotten)
}
