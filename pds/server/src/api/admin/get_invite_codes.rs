use axum::extract::State;
use pds_store::invite::{self, By, Invite, Place};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::invite::{views, views_with_ends},
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.admin.getInviteCodes` and `dev.auroralocus.admin.listInviteCodes`.
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
    let (page, cursor) = page(&app, &params).await?;
    Ok(output(views(&app.db, page).await?, cursor))
}

/// `dev.auroralocus.admin.listInviteCodes`
pub async fn list_invite_codes(
    State(app): State<App>,
    Query(params): Query<GetInviteCodesParams>,
) -> Result<Output<Value>> {
    let (page, cursor) = page(&app, &params).await?;
    Ok(output(views_with_ends(&app.db, page).await?, cursor))
}

async fn page(app: &App, params: &GetInviteCodesParams) -> Result<(Vec<Invite>, Option<String>)> {
    let by = match params.sort.as_str() {
        "recent" => By::Recent,
        "usage" => By::Usage,
        other => return Err(XrpcError::invalid(format!("unknown sort method: {other}"))),
    };
    let place = params.cursor.as_deref().map(place).transpose()?;
    let page = invite::page(&app.db, by, place, params.limit).await?;
    let cursor = page.last().map(|last| cursor(by, last));
    Ok((page, cursor))
}

fn output(codes: Vec<Value>, cursor: Option<String>) -> Output<Value> {
    let mut output = json!({"codes": codes});
    if let Some(cursor) = cursor {
        output["cursor"] = cursor.into();
    }
    Output(output)
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
