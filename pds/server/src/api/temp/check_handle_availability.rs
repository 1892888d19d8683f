use axum::extract::State;
use pds_store::account;
use pds_syntax::Handle;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{identity::refuse_handle, server},
    app::App,
    identity::HandleError,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Handles that one answer suggests, and that are tried for it.
const SUGGESTIONS: usize = 3;
const ATTEMPTS: usize = 8;
/// Characters of a label that are kept before the digits of a suggestion.
const KEPT_CHARS: usize = 14;

/// Parameters of `com.atproto.temp.checkHandleAvailability`.
#[derive(Debug, Deserialize)]
pub struct CheckHandleAvailabilityParams {
    handle: Handle,
    email: Option<String>,
}

/// `com.atproto.temp.checkHandleAvailability`
///
/// For handles below a domain of this host. The parameter `email` is only checked for its form: whether an address is in use is nobody's business.
pub async fn check_handle_availability(
    State(app): State<App>,
    Query(params): Query<CheckHandleAvailabilityParams>,
) -> Result<Output<Value>> {
    let CheckHandleAvailabilityParams { handle, email } = params;
    if let Some(email) = email {
        server::email(&email).map_err(|error| XrpcError::named("InvalidEmail", error.message))?;
    }
    let result = match is_available(&app, &handle).await {
        Ok(true) => json!({"$type": "com.atproto.temp.checkHandleAvailability#resultAvailable"}),
        Ok(false) | Err(HandleError::Reserved) => json!({
            "$type": "com.atproto.temp.checkHandleAvailability#resultUnavailable",
            "suggestions": suggestions(&app, &handle).await?,
        }),
        Err(error) => return Err(refuse_handle(error)),
    };
    Ok(Output(json!({"handle": handle, "result": result})))
}

async fn is_available(app: &App, handle: &Handle) -> Result<bool, HandleError> {
    // Without a DID nothing is looked up.
    app.handles.check(handle, None, "").await?;
    Ok(account::by_handle(&app.db, handle).await?.is_none())
}

/// Free handles with the same label and digits behind it.
async fn suggestions(app: &App, handle: &Handle) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    let Some(label) = app.handles.own_label(handle) else { return Ok(found) };
    let domain = &handle.as_str()[label.len()..];
    let kept: String = label.chars().take(KEPT_CHARS).collect();
    for _ in 0..ATTEMPTS {
        let digits = rand::random_range(10..10_000);
        let Ok(candidate) = format!("{}{digits}{domain}", kept.trim_end_matches('-')).parse::<Handle>() else { break };
        match is_available(app, &candidate).await {
            Ok(true) => found.push(json!({"handle": candidate, "method": "random_digits"})),
            Ok(false) => {}
            Err(HandleError::Store(error)) => return Err(error.into()),
            Err(_) => break,
        }
        if found.len() == SUGGESTIONS {
            break;
        }
    }
    Ok(found)
}
