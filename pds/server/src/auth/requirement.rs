//! The credential that a method asks for, checked before its handler runs.

use axum::{
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use pds_config::NeedsEmail;
use pds_store::account::Status;

use super::{
    admin::Admin,
    scope::{ANY_SESSION, ANY_SESSION_OR_TAKENDOWN, FULL_SESSION, FULL_SESSION_OR_TAKENDOWN},
    service::OptionalIssuer,
    session::{Access, Refresh, Viewer},
};
use crate::{app::App, xrpc::XrpcError};

/// The credential that a method asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// None. A credential may be sent, and the handler may look at it.
    Nothing,
    /// None, but an invalid one is refused. The owner of a repository and the administrator read it in every state. The handler takes [`Viewer`].
    Viewer,
    /// The access token of an account that was not taken down, from whichever kind of session. The handler takes [`Access`].
    Account,
    /// As [`Requirement::Account`], of an active account.
    ActiveAccount,
    /// As [`Requirement::Account`], or a service token of the account itself. The handler takes [`Access`].
    AccountOrService,
    /// None, or a service token of anybody. Another credential is refused. The handler takes [`OptionalIssuer`].
    OptionalService,
    /// As [`Requirement::Account`], or the access token of an account that was taken down and moves elsewhere.
    AccountOrTakendown,
    /// As [`Requirement::Account`], of a session that was created with the account's password: no app password.
    FullAccount,
    /// As [`Requirement::FullAccount`], or the access token of an account that was taken down and moves elsewhere.
    FullOrTakendown,
    /// A refresh token. The handler takes [`Refresh`].
    Refresh,
    /// The administrator's password.
    Admin,
    /// The administrator's password, or a token of the moderation service that the settings name.
    Moderator,
}

/// Refuses a request without the credential that its method asks for. Leaves the credential with the request, where the extractors find it: a
/// handler cannot forget to ask.
///
/// A method for which the host asks for a confirmed e-mail address is refused to accounts without one.
pub async fn authorize(
    State((app, requirement, needs_email)): State<(App, Requirement, Option<NeedsEmail>)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let proven = prove(&app, requirement, &mut parts).await;
    match proven.and_then(|()| confirmed(&app, needs_email, &parts)) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn prove(app: &App, requirement: Requirement, parts: &mut Parts) -> Result<(), XrpcError> {
    match requirement {
        Requirement::Nothing => {}
        Requirement::Viewer => {
            let viewer = Viewer::prove(app, parts).await?;
            parts.extensions.insert(viewer);
        }
        Requirement::Account | Requirement::ActiveAccount => {
            let access = Access::prove(app, parts, ANY_SESSION).await?;
            if requirement == Requirement::ActiveAccount {
                access.must_be_active()?;
            }
            parts.extensions.insert(access);
        }
        Requirement::AccountOrService => {
            let access = Access::prove_or_service(app, parts).await?;
            parts.extensions.insert(access);
        }
        Requirement::OptionalService => {
            let issuer = OptionalIssuer::prove(app, parts).await?;
            parts.extensions.insert(issuer);
        }
        Requirement::AccountOrTakendown | Requirement::FullAccount | Requirement::FullOrTakendown => {
            let scopes = match requirement {
                Requirement::AccountOrTakendown => ANY_SESSION_OR_TAKENDOWN,
                Requirement::FullAccount => FULL_SESSION,
                _ => FULL_SESSION_OR_TAKENDOWN,
            };
            let access = Access::prove(app, parts, scopes).await?;
            parts.extensions.insert(access);
        }
        Requirement::Refresh => {
            let refresh = Refresh::prove(app, parts)?;
            parts.extensions.insert(refresh);
        }
        Requirement::Admin | Requirement::Moderator => Admin::prove(app, parts)?,
    }
    Ok(())
}

/// Refuses an active account without a confirmed address where the host asks for one. An account that moves here is not active yet.
fn confirmed(app: &App, needs_email: Option<NeedsEmail>, parts: &Parts) -> Result<(), XrpcError> {
    let Some(need) = needs_email.filter(|need| app.settings.mail.required_for.contains(need)) else { return Ok(()) };
    let account = parts.extensions.get::<Access>().map(|access| &access.account);
    match account.filter(|account| account.status() == Status::Active && account.email_confirmed_at.is_none()) {
        Some(_) => Err(XrpcError::new(
            StatusCode::FORBIDDEN,
            "EmailNotConfirmed",
            format!("Confirm your e-mail address first: this server asks for it ({})", need.word()),
        )),
        None => Ok(()),
    }
}
