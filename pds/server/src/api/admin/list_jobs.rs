use axum::extract::State;
use serde_json::{Value, json};

use crate::{
    app::App,
    xrpc::{Output, Result},
};

/// `dev.auroralocus.admin.listJobs`
pub async fn list_jobs(State(app): State<App>) -> Result<Output<Value>> {
    Ok(Output(json!({"jobs": app.jobs.list().await?})))
}
