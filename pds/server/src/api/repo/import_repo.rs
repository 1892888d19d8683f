use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use pds_store::account::Status;

use crate::{
    actor::import::{self, Error},
    app::App,
    auth::{Access, account_takedown},
    xrpc::{Result, XrpcError, plain},
};

/// `com.atproto.repo.importRepo`
pub async fn import_repo(State(app): State<App>, access: Access, headers: HeaderMap, body: Body) -> Result<()> {
    // A deactivated account may be one that is moving here.
    if access.account.status() == Status::TakenDown {
        return Err(account_takedown());
    }
    if !app.settings.import.accepted {
        return Err(XrpcError::invalid("Service is not accepting repo imports"));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.ok_or_else(|| XrpcError::invalid("Request encoding (Content-Type) required but not provided"))?;
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/vnd.ipld.car" {
        return Err(XrpcError::invalid(format!("Wrong request encoding (Content-Type): {essence}")));
    }
    plain(&headers)?;
    let limit = app.settings.import.max_bytes;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { limit }.into());
    }
    import::import(&app, &access.account, body.into_data_stream()).await?;
    Ok(())
}

impl From<Error> for XrpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", error.to_string())
            }
            Error::Broken | Error::Invalid(_) => Self::invalid(error.to_string()),
            Error::TakenDown => account_takedown(),
            Error::Busy | Error::Overloaded => Self::unavailable(format!("{error}, try again"), 30),
            Error::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!(error = crate::report::chain(&error), "no room for a repository to be imported");
                Self::unavailable("There is no room for the file, try again later", 60)
            }
            Error::Disk(error) => Self::internal("keeping a file", &error),
            Error::Load(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}
