use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    job::RunError,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `dev.auroralocus.admin.runJob`.
#[derive(Debug, Deserialize)]
pub struct RunJobInput {
    name: String,
}

/// `dev.auroralocus.admin.runJob`
pub async fn run_job(State(app): State<App>, Procedure(input): Procedure<RunJobInput>) -> Result<Output<Value>> {
    let started = app.jobs.run(&input.name).await.map_err(|error| match error {
        RunError::Unknown { .. } => XrpcError::named("JobNotFound", error.to_string()),
        RunError::Running { .. } => XrpcError::named("JobRunning", error.to_string()),
        RunError::Stopping => XrpcError::unavailable("This server is stopping, try again", 5),
        RunError::Store(error) => error.into(),
    })?;
    tracing::info!(job = started.name, run = started.run, "an administrator started job {}", started.name);
    Ok(Output(json!({"job": started})))
}
