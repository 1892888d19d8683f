use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::headers::{ContentLength, HeaderMapExt};
use pds_store::account::{self, Status};
use pds_syntax::Did;
use serde_json::{Value, json};

use crate::api::car::CAR;
use crate::{
    actor::import::{Error, Note, Notes},
    app::App,
    auth::{Access, may_bring},
    rate_limit::Client,
    xrpc::{Output, Result, XrpcError, expect_content_type, refuse_compressed},
};

/// `com.atproto.repo.importRepo`
///
/// The answer is empty, as the lexicon says, unless some records were faulty: those outside the data model, which were kept as they are,
/// and those that were left out.
pub async fn import_repo(
    State(app): State<App>,
    access: Access,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    if !app.settings.import.accepted {
        return Err(XrpcError::invalid("Service is not accepting repo imports"));
    }
    may_bring(access.account.status())?;
    expect_content_type(&headers, CAR)?;
    refuse_compressed(&headers)?;
    let limit = app.settings.import.max_bytes;
    let length = headers.typed_get::<ContentLength>().map(|length| length.0);
    if length.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { limit }.into());
    }
    let report = match app.actors.import(&access.account, &client.subject, body.into_data_stream()).await {
        Err(Error::Closed) => {
            // The host has decided meanwhile.
            let now = account::by_id(&app.db, access.account.id).await?;
            may_bring(now.map_or(Status::Deleted, |account| account.status()))?;
            return Err(Error::Closed.into());
        }
        report => report?,
    };
    if report.kept.count == 0 && report.left_out.count == 0 {
        return Ok(StatusCode::OK.into_response());
    }
    let did = &access.account.did;
    let output = json!({
        "records": report.records,
        "kept": notes_json(did, &report.kept),
        "leftOut": notes_json(did, &report.left_out),
    });
    Ok(Output(output).into_response())
}

fn notes_json(did: &Did, notes: &Notes) -> Value {
    let one = |note: &Note| json!({"uri": format!("at://{did}/{}", note.path), "cid": note.cid, "reason": note.reason});
    json!({"count": notes.count, "records": notes.first.iter().map(one).collect::<Vec<_>>()})
}

impl From<Error> for XrpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", error.to_string())
            }
            Error::Broken | Error::Invalid(_) => Self::invalid(error.to_string()),
            Error::OverQuota { .. } => Self::named("AccountQuotaExceeded", error.to_string()),
            Error::Closed => Self::unavailable("The state of the account changed during the import, try again", 1),
            Error::Busy => Self::unavailable(format!("{error}, try again"), 30),
            Error::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!(
                    error = crate::report::chain(&error),
                    "the disk for temporary files is full: a CAR file to be imported was refused"
                );
                Self::unavailable("There is no room for the file, try again later", 60)
            }
            Error::Disk(error) => Self::internal("keeping a file", &error),
            Error::Load(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}
