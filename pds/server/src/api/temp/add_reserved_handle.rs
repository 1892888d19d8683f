use axum::extract::State;
use pds_store::reserved_label;
use pds_syntax::Handle;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.temp.addReservedHandle`.
#[derive(Debug, Deserialize)]
pub struct AddReservedHandleInput {
    /// A handle below a domain of this host, or only its label.
    handle: String,
}

/// `com.atproto.temp.addReservedHandle`
///
/// Keeps a label from everybody, below every handle domain of this host. An account that has such a handle keeps it.
pub async fn add_reserved_handle(
    State(app): State<App>,
    Procedure(input): Procedure<AddReservedHandleInput>,
) -> Result<Output<Value>> {
    let text = input.handle.to_lowercase();
    let unfit = || {
        let domains = app.settings.identity.handle_domains.join(", ");
        XrpcError::invalid(format!("Input/handle must be one label, or a handle with one label below {domains}"))
    };
    let handle = match text.contains('.') {
        true => text.parse::<Handle>(),
        false => format!("{text}{}", app.settings.identity.handle_domains.first().ok_or_else(unfit)?).parse(),
    };
    let handle = handle.map_err(|_| unfit())?;
    let label = app.handles.own_label(&handle).filter(|label| !label.contains('.')).ok_or_else(unfit)?;
    let mut tx = app.db.begin().await?;
    reserved_label::reserve(&mut tx, label, app.clock.now_us()).await?;
    tx.commit().await?;
    tracing::info!(label, "an administrator reserved the label {label}");
    Ok(Output(json!({})))
}
