use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::subject::{StatusAttr, Subject, not_found, record_of};
use crate::{
    app::App,
    clock,
    moderation::{self, AccountChange, Takedown},
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.admin.updateSubjectStatus`.
#[derive(Debug, Deserialize)]
pub struct UpdateSubjectStatusInput {
    subject: Subject,
    takedown: Option<StatusAttr>,
    deactivated: Option<StatusAttr>,
}

/// `com.atproto.admin.updateSubjectStatus`
///
/// Unlike in the reference, a subject that does not exist is an error: a caller that made a mistake in its name must not believe that it was taken down.
pub async fn update_subject_status(
    State(app): State<App>,
    Procedure(input): Procedure<UpdateSubjectStatusInput>,
) -> Result<Output<Value>> {
    let now = app.clock.now_us();
    let UpdateSubjectStatusInput { subject, takedown: asked, deactivated } = input;
    let takedown = asked.as_ref().map(|asked| match asked.applied {
        true => Takedown::Applied(asked.reference.clone().unwrap_or_else(|| clock::text(now))),
        false => Takedown::Lifted,
    });
    let deactivated = deactivated.map(|asked| asked.applied);
    if matches!(takedown, Some(Takedown::Applied(_))) && deactivated == Some(false) {
        return Err(XrpcError::invalid("Cannot activate and takedown an account at the same time"));
    }
    let found = match (&subject, takedown) {
        (Subject::Account { did }, takedown) => {
            let change = AccountChange { takedown, deactivated, ..AccountChange::default() };
            moderation::change_account(&app.db, did, &change, now).await?
        }
        (_, _) if deactivated.is_some() => return Err(XrpcError::invalid("Only an account can be deactivated")),
        (_, None) => return Err(XrpcError::invalid("Input must have the property \"takedown\"")),
        (Subject::Record { uri, .. }, Some(takedown)) => {
            let (did, path) = record_of(uri)?;
            moderation::set_record(&app.db, &did, &path, &takedown).await?
        }
        (Subject::Blob { did, cid, .. }, Some(takedown)) => {
            moderation::set_blob(&app.db, did, cid, &takedown, now).await?
        }
    };
    if !found {
        return Err(not_found());
    }
    tracing::info!(subject = ?subject, takedown = ?asked, deactivated, "an administrator changed the status of a subject");
    let mut output = json!({"subject": subject});
    if let Some(asked) = asked {
        output["takedown"] = json!(asked);
    }
    Ok(Output(output))
}
