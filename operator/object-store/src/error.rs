//! What can go wrong, each in one sentence for a person who has only that sentence.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::limits::{CONNECT_SECONDS, OPERATION_SECONDS, one_line};
use crate::marker::{ADOPT_KEY, MARKER_KEY};
use crate::{Marker, Owner};

/// Owner of a bucket according to the marker object in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The bucket has a marker that names an owner.
    Marked(Box<Marker>),
    /// It has no marker.
    Unmarked,
    /// It has a marker that cannot be read.
    Unreadable,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket is there and is not this owner's.
    #[error("{}", not_owned(bucket, owner, holder))]
    NotOwned {
        /// The bucket.
        bucket: String,
        /// Who asks for it.
        owner: Box<Owner>,
        /// What the bucket says.
        holder: Holder,
    },
    /// A user or role of the derived name is there and was not made for this owner.
    #[error(
        "{user} exists already as a user or role of the object store at {place} and was not made for {owner}, so it is left as it is; if nobody \
         needs it, delete it there, otherwise set another prefix for names of buckets"
    )]
    UserNotOwned {
        /// Name of the user or role.
        user: String,
        place: String,
        /// Who asks for it.
        owner: Box<Owner>,
    },
    /// The bucket with the blobs of the owner is not in the service.
    #[error(
        "bucket {bucket} with the blobs of {owner} is not in the object store at {place}; bring it back there with its objects, or create an \
         empty bucket of that name to go on without the blobs"
    )]
    Missing {
        /// The bucket.
        bucket: String,
        /// Endpoint of the object store that was searched.
        place: String,
        /// Whose blobs it holds.
        owner: Box<Owner>,
    },
    /// The user of a bucket would reach other buckets of the service.
    #[error(
        "the object store at {place} does not keep buckets apart: {leaves_by} may lead out of a bucket, so the user of bucket {bucket} could delete the \
         blobs of others; no user was made. Upgrade the object store, or put a proxy before it that refuses such requests. If all tenants of \
         the class trust each other, set spec.objectStore.isolation of the PdsClass to Waived"
    )]
    NotIsolated {
        /// Endpoint of the object store.
        place: String,
        /// Bucket in which isolation was tried.
        bucket: String,
        /// What leads out of it.
        leaves_by: &'static str,
    },
    /// The service does not accept the administrator's credential, or the credential lacks rights.
    #[error("{0}")]
    Refused(String),
    /// The service does not answer, or not as it should; worth another try.
    #[error("{0}")]
    Unavailable(String),
    /// Something must be changed by a person first.
    #[error("{0}")]
    Invalid(String),
}

fn not_owned(bucket: &str, owner: &Owner, holder: &Holder) -> String {
    let state = match holder {
        Holder::Marked(marker) => format!("belongs to {marker} according to {MARKER_KEY} in it, not to {owner}"),
        Holder::Unmarked => format!("exists already and has no {MARKER_KEY} that gives it to {owner}"),
        Holder::Unreadable => format!("has a {MARKER_KEY} that cannot be read and so does not give it to {owner}"),
    };
    let name = format!("{}/{}", owner.namespace, owner.name);
    format!(
        "bucket {bucket} {state}; choose another bucket, or hand this one over by writing an object {ADOPT_KEY} with the content {name} into it"
    )
}

/// The error of a request that the AWS SDK sent. `what` continues "asked to".
pub(crate) fn failed<E>(what: impl AsRef<str>, place: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let what = what.as_ref();
    let store = format!("the object store at {place}");
    match error {
        SdkError::TimeoutError(_) => no_answer(what, place),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Error::Unavailable(format!(
            "no connection to {store} within {CONNECT_SECONDS} s, which was to be asked to {what}"
        )),
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().map_or_else(|| "connection failed".into(), |e| root_cause(e));
            unreachable(what, place, &cause)
        }
        SdkError::ConstructionFailure(_) => {
            Error::Invalid(format!("a request to {what} cannot be made: {}", root_cause(error)))
        }
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let status = status(error).unwrap_or_default();
            answered(what, place, status, error.code(), error.message().unwrap_or_default())
        }
        _ => Error::Unavailable(format!("{store} failed to {what}: {}", root_cause(error))),
    }
}

pub(crate) fn no_answer(what: &str, place: &str) -> Error {
    Error::Unavailable(format!(
        "the object store at {place} was asked to {what} and did not answer within {OPERATION_SECONDS} s"
    ))
}

pub(crate) fn unreachable(what: &str, place: &str, cause: &str) -> Error {
    let cause = one_line(cause);
    Error::Unavailable(format!("the object store at {place} was to be asked to {what} and cannot be reached: {cause}"))
}

/// The error of an answer.
pub(crate) fn answered(what: &str, place: &str, status: u16, code: Option<&str>, message: &str) -> Error {
    let said = match (code, one_line(message)) {
        (Some(code), message) if message.is_empty() => format!("{} (HTTP {status})", one_line(code)),
        (Some(code), message) => format!("{}, {message} (HTTP {status})", one_line(code)),
        (None, message) if message.is_empty() => format!("HTTP {status}"),
        (None, message) => format!("HTTP {status}, {message}"),
    };
    let store = format!("the object store at {place}");
    match status {
        401 | 403 => {
            // The service may name the administrator and its rights, which are not for tenants, who read this error in a condition.
            tracing::warn!("{store} refuses the operator's credential when asked to {what}: {said}");
            let said =
                code.map_or_else(|| format!("HTTP {status}"), |code| format!("{} (HTTP {status})", one_line(code)));
            Error::Refused(format!("{store} refuses the operator's credential when asked to {what}: {said}"))
        }
        300..=399 => Error::Invalid(format!(
            "{store} was asked to {what} and names another address, which is not followed; check endpoint and region: {said}"
        )),
        400 | 405 | 411..=416 => {
            Error::Invalid(format!("{store} was asked to {what} and does not take the request: {said}"))
        }
        _ => Error::Unavailable(format!("{store} was asked to {what} and failed: {said}")),
    }
}

pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The innermost error, which names the fact.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    one_line(&innermost.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_fall_into_kinds() {
        let kind = |status| answered("delete bucket b", "http://s3", status, Some("Code"), "Why.");
        let refused = "the object store at http://s3 refuses the operator's credential when asked to delete bucket b: Code (HTTP 403)";
        assert!(matches!(kind(403), Error::Refused(_)));
        assert_eq!(kind(403).to_string(), refused, "whose credential it is stays in the log");
        assert!(matches!(kind(503), Error::Unavailable(_)));
        assert!(matches!(kind(404), Error::Unavailable(_)));
        assert!(matches!(kind(301), Error::Invalid(_)));
        let text = "the object store at http://s3 was asked to delete bucket b and failed: Code, Why (HTTP 503)";
        assert_eq!(kind(503).to_string(), text);
    }
}
