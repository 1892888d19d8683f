//! Outputs checked against their lexicons. For tests and debug builds, since every output is kept in memory for it.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use pds_lexicon::Method;

use super::XrpcError;

/// Marks the output of another service, which is passed on whatever it is.
#[derive(Clone, Copy, Debug)]
pub struct ForeignOutput;

/// Answers 500 instead of an output that its lexicon does not allow, and names the fault.
pub async fn check_output(State(method): State<Method<'static>>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.status() != StatusCode::OK || answer.extensions().get::<ForeignOutput>().is_some() {
        return answer;
    }
    let given = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match (method.output_encoding(), given.as_deref()) {
        (Some("application/json"), Some("application/json")) => {
            let (parts, body) = answer.into_parts();
            let Ok(body) = to_bytes(body, usize::MAX).await else { return fault("The output ended early") };
            let output = serde_json::from_slice(&body).map_err(|error| error.to_string());
            let checked = output.and_then(|output| method.check_output(&output).map_err(|error| error.to_string()));
            checked.map_or_else(|error| fault(&error), |()| Response::from_parts(parts, Body::from(body)))
        }
        (Some(expected), given) if expected != "*/*" && given != Some(expected) => {
            fault(&format!("Output must be {expected}, found {given:?}"))
        }
        _ => answer,
    }
}

fn fault(message: &str) -> Response {
    XrpcError::new(StatusCode::INTERNAL_SERVER_ERROR, "InvalidOutput", message).into_response()
}
