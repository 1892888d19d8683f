//! Decides whose a bucket is, and takes one that is free.
//!
//! A bucket is the owner's if its marker has the owner's fingerprint, whatever cluster it names. Without a marker it is the owner's if it is empty and
//! was made for this owner: just now, or by a process that died before it wrote the marker, which the derived name or the maker's tag shows.

use std::time::{Duration, Instant};

use tracing::info;

use crate::bucket::{Buckets, Found};
use crate::error::Holder;
use crate::marker::{ADOPT_KEY, MARKER_KEY};
use crate::{Deleted, Error, Marker, Owner, Request};

/// For how long one call deletes objects. A bucket can have any number of them, and the caller has others to serve.
const SLICE: Duration = Duration::from_secs(3);

/// How a bucket stands to an owner.
#[derive(Debug)]
pub(crate) enum State {
    NoBucket,
    /// Marked as the owner's.
    Ours(Marker),
    /// Made for the owner and not marked yet.
    Unfinished,
    Other(Holder),
}

/// Reads the marker of the bucket. `None`: the bucket does not exist.
async fn holder(buckets: &Buckets, bucket: &str) -> Result<Option<Holder>, Error> {
    Ok(match buckets.read(bucket, MARKER_KEY).await? {
        Found::NoBucket => None,
        Found::NoObject => Some(Holder::Unmarked),
        Found::TooLarge => Some(Holder::Unreadable),
        Found::Object(bytes) => {
            Some(Marker::parse(&bytes).map_or(Holder::Unreadable, |marker| Holder::Marked(Box::new(marker))))
        }
    })
}

/// The owner that a bucket names.
pub(crate) async fn owner(buckets: &Buckets, bucket: &str) -> Result<Option<Option<Marker>>, Error> {
    crate::naming::check_bucket(bucket)?;
    match holder(buckets, bucket).await? {
        None => Ok(None),
        Some(Holder::Unmarked) => Ok(Some(None)),
        Some(Holder::Marked(marker)) => Ok(Some(Some(*marker))),
        Some(Holder::Unreadable) => {
            Err(Error::Invalid(format!("bucket {bucket} has a {MARKER_KEY} that cannot be read")))
        }
    }
}

/// Whether a bucket exists that was made for an instance of the namespace. `user` has the derived name.
pub(crate) async fn is_left(buckets: &Buckets, bucket: &str, user: &str, namespace: &str) -> Result<bool, Error> {
    Ok(match owner(buckets, bucket).await? {
        None => false,
        Some(None) => bucket == user,
        Some(Some(marker)) => marker.namespace == namespace,
    })
}

/// How the bucket stands to the owner; changes nothing.
pub(crate) async fn state(buckets: &Buckets, request: &Request) -> Result<State, Error> {
    let (bucket, owner) = (request.bucket(), &request.owner);
    match holder(buckets, &bucket).await? {
        None => Ok(State::NoBucket),
        Some(Holder::Marked(marker)) if marker.is_of(owner) => Ok(State::Ours(*marker)),
        Some(Holder::Unmarked) => {
            let ours = buckets.is_empty(&bucket).await?
                && (request.bucket_is_derived() || is_maker(buckets, &bucket, owner).await?);
            Ok(if ours { State::Unfinished } else { State::Other(Holder::Unmarked) })
        }
        Some(other) => Ok(State::Other(other)),
    }
}

async fn is_maker(buckets: &Buckets, bucket: &str, owner: &Owner) -> Result<bool, Error> {
    Ok(!owner.fingerprint.is_empty() && buckets.maker(bucket).await?.as_ref() == Some(&owner.fingerprint))
}

/// Gives the marker of the owner's bucket, which is made or adopted if need be.
pub(crate) async fn take(buckets: &Buckets, request: &Request, location: Option<&str>) -> Result<Marker, Error> {
    let (bucket, owner) = (request.bucket(), &request.owner);
    crate::naming::check_bucket(&bucket)?;
    if owner.fingerprint.is_empty() {
        return Err(Error::Invalid(format!("{owner} has no key fingerprint, so no bucket can be marked as its own")));
    }
    let mut state = self::state(buckets, request).await?;
    if matches!(state, State::NoBucket) {
        if request.is_in_use {
            return Err(Error::Missing { bucket, place: buckets.place().to_owned(), owner: Box::new(owner.clone()) });
        }
        if buckets.create(&bucket, &owner.fingerprint, location).await? {
            return mark_new(buckets, &bucket, owner).await;
        }
        state = self::state(buckets, request).await?;
    }
    match state {
        State::Ours(marker) if same_place(&marker, owner) => Ok(marker),
        State::Ours(marker) => {
            info!(%bucket, "bucket {bucket} follows its keys from {marker} to {owner}");
            put(buckets, &bucket, marker.moved_to(owner)).await
        }
        State::Unfinished => mark_new(buckets, &bucket, owner).await,
        State::Other(holder) => adopt(buckets, &bucket, owner, holder).await,
        State::NoBucket => Err(Error::Unavailable(format!(
            "the object store at {} was asked to create bucket {bucket}, says that it is there already, and does not have it",
            buckets.place()
        ))),
    }
}

/// Completes the marker: from now on it names the user. Ends an adoption, too.
pub(crate) async fn record_user(buckets: &Buckets, bucket: &str, marker: Marker, user: &str) -> Result<(), Error> {
    if marker.user.as_deref() == Some(user) {
        return Ok(());
    }
    buckets.delete_object(bucket, ADOPT_KEY).await?;
    put(buckets, bucket, Marker { user: Some(user.to_owned()), formerly: None, ..marker }).await.map(drop)
}

/// Deletes the bucket with everything in it if it is the owner's.
pub(crate) async fn delete(buckets: &Buckets, bucket: &str, state: State) -> Result<Deleted, Error> {
    match state {
        State::NoBucket => Ok(Deleted::NoBucket),
        State::Other(holder) => Ok(Deleted::LeftAlone(holder)),
        State::Ours(_) | State::Unfinished => {
            if !buckets.empty(bucket, Instant::now() + SLICE).await? {
                return Ok(Deleted::InPart);
            }
            buckets.delete(bucket).await?;
            Ok(Deleted::Bucket)
        }
    }
}

async fn mark_new(buckets: &Buckets, bucket: &str, owner: &Owner) -> Result<Marker, Error> {
    buckets.write(bucket, MARKER_KEY, Marker::new(owner).to_bytes(), true).await?;
    // Another one may have been faster, or the service may not know the condition.
    match holder(buckets, bucket).await? {
        Some(Holder::Marked(marker)) if marker.is_of(owner) => Ok(*marker),
        holder => Err(Error::NotOwned {
            bucket: bucket.to_owned(),
            owner: Box::new(owner.clone()),
            holder: holder.unwrap_or(Holder::Unmarked),
        }),
    }
}

async fn adopt(buckets: &Buckets, bucket: &str, owner: &Owner, holder: Holder) -> Result<Marker, Error> {
    let wanted = format!("{}/{}", owner.namespace, owner.name);
    match buckets.read(bucket, ADOPT_KEY).await? {
        // A newline is what `echo` adds.
        Found::Object(bytes) if bytes.strip_suffix(b"\n").unwrap_or(&bytes) == wanted.as_bytes() => {
            info!(%bucket, "bucket {bucket} is handed over to {owner}");
            let formerly = if let Holder::Marked(marker) = holder { Some(marker.fingerprint) } else { None };
            put(buckets, bucket, Marker { formerly, ..Marker::new(owner) }).await
        }
        _ => Err(Error::NotOwned { bucket: bucket.to_owned(), owner: Box::new(owner.clone()), holder }),
    }
}

async fn put(buckets: &Buckets, bucket: &str, marker: Marker) -> Result<Marker, Error> {
    buckets.write(bucket, MARKER_KEY, marker.to_bytes(), false).await?;
    Ok(marker)
}

fn same_place(marker: &Marker, owner: &Owner) -> bool {
    (&marker.cluster, &marker.namespace, &marker.name) == (&owner.cluster, &owner.namespace, &owner.name)
}
