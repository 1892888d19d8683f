use axum::extract::State;
use pds_store::invite::{self, By, Invite, Place};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::invite::views,
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.admin.getInviteCodes`.
#[derive(Debug, Deserialize)]
pub struct GetInviteCodesParams {
    sort: String,
    limit: u32,
    cursor: Option<String>,
}

/// `com.atproto.admin.getInviteCodes`
pub async fn get_invite_codes(
    State(app): State<App>,
    Query(params): Query<GetInviteCodesParams>,
) -> Result<Output<Value>> {
    let by = match params.sort.as_str() {
        "recent" => By::Recent,
        "usage" => By::Usage,
        other => return Err(XrpcError::invalid(format!("unknown sort method: {other}"))),
    };
    let place = params.cursor.as_deref().map(place).transpose()?;
    let page = invite::page(&app.db, by, place, params.limit).await?;
    let cursor = page.last().map(|last| cursor(by, last));
    let mut output = json!({"codes": views(&app.db, page).await?});
    if let Some(cursor) = cursor {
        output["cursor"] = cursor.into();
    }
    Ok(Output(output))
}

/// `NUMBER::CODE`, as the reference's cursors.
fn cursor(by: By, last: &Invite) -> String {
    let number = match by {
        By::Recent => last.created_at,
        By::Usage => i64::from(last.used),
    };
    format!("{number}::{}", last.code)
}

fn place(cursor: &str) -> Result<Place<'_>> {
    let parts = cursor.split_once("::");
    let place = parts.and_then(|(number, code)| Some(Place { number: number.parse().ok()?, code }));
    place.ok_or_else(|| XrpcError::invalid("Malformed cursor"))
}
