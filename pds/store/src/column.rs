//! How typed values are stored in columns, the same on both databases.
//!
//! Identifiers are text in their canonical form. A CID is its 32 digest bytes where the column holds dag-cbor CIDs only,
//! and its 36 bytes where it may hold blobs.

use std::{fmt::Display, str::FromStr};

use pds_repo::{Cid, Codec};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};

/// An identifier in a text column, parsed when read.
pub(crate) struct Text<T>(pub(crate) T);

/// A dag-cbor CID as 32 digest bytes.
pub(crate) struct Digest(pub(crate) Cid);

/// Any CID as 36 bytes.
pub(crate) struct FullCid(pub(crate) Cid);

impl<T, DB: Database> Type<DB> for Text<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <String as Type<DB>>::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        <String as Type<DB>>::compatible(ty)
    }
}

impl<'r, T, DB: Database> Decode<'r, DB> for Text<T>
where
    T: FromStr<Err: Display>,
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<'r, DB>>::decode(value)?;
        text.parse().map(Self).map_err(|error: T::Err| error.to_string().into())
    }
}

impl<T: FromStr<Err: Display>> FromSql for Text<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(|error: T::Err| FromSqlError::Other(error.to_string().into()))
    }
}

macro_rules! cid_column {
    ($name:ident, $to:expr, $from:expr) => {
        impl<DB: Database> Type<DB> for $name
        where
            Vec<u8>: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <Vec<u8> as Type<DB>>::type_info()
            }

            fn compatible(ty: &DB::TypeInfo) -> bool {
                <Vec<u8> as Type<DB>>::compatible(ty)
            }
        }

        impl<'q, DB: Database> Encode<'q, DB> for $name
        where
            Vec<u8>: Encode<'q, DB>,
        {
            fn encode_by_ref(&self, buf: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                let to: fn(&Cid) -> Vec<u8> = $to;
                to(&self.0).encode(buf)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $name
        where
            &'r [u8]: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                let from: fn(&[u8]) -> Result<Cid, BoxDynError> = $from;
                from(<&[u8] as Decode<'r, DB>>::decode(value)?).map(Self)
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let from: fn(&[u8]) -> Result<Cid, BoxDynError> = $from;
                from(value.as_blob()?).map(Self).map_err(FromSqlError::Other)
            }
        }
    };
}

cid_column!(Digest, digest_bytes, digest_cid);
cid_column!(FullCid, full_bytes, full_cid);

/// The bytes of a dag-cbor column.
pub(crate) fn digest_bytes(cid: &Cid) -> Vec<u8> {
    cid.digest().to_vec()
}

/// The bytes of a column of any CID.
pub(crate) fn full_bytes(cid: &Cid) -> Vec<u8> {
    cid.to_bytes().to_vec()
}

fn digest_cid(bytes: &[u8]) -> Result<Cid, BoxDynError> {
    let digest = bytes.try_into().map_err(|_| format!("a digest of {} bytes", bytes.len()))?;
    Ok(Cid::from_digest(Codec::DagCbor, digest))
}

fn full_cid(bytes: &[u8]) -> Result<Cid, BoxDynError> {
    Cid::from_bytes(bytes).map_err(|error| error.to_string().into())
}
