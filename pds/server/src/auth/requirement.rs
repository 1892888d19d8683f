//! The credential that a method asks for, checked before its handler runs.

use std::fmt;

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
    moderator::Moderator,
    scope::{ANY_SESSION, ANY_SESSION_OR_TAKENDOWN, FULL_SESSION, FULL_SESSION_OR_TAKENDOWN},
    service::OptionalIssuer,
    session::{Access, Refresh, Viewer},
};
use crate::{app::App, moderation, xrpc::XrpcError};

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

impl Requirement {
    /// Whether a session of an account may meet the requirement, so that the permissions of an OAuth session matter.
    pub const fn is_of_account(self) -> bool {
        match self {
            Self::Viewer
            | Self::Account
            | Self::ActiveAccount
            | Self::AccountOrService
            | Self::AccountOrTakendown
            | Self::FullAccount
            | Self::FullOrTakendown => true,
            Self::Nothing | Self::OptionalService | Self::Refresh | Self::Admin | Self::Moderator => false,
        }
    }
}

/// For people who read the page or the OpenAPI document of the methods.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::Viewer => "none, or a session or the administrator's password",
            Self::OptionalService => "none, or a service token",
            Self::Account => "session",
            Self::ActiveAccount => "session of an active account",
            Self::AccountOrService => "session, or a service token of the account",
            Self::AccountOrTakendown => "session, also of a taken-down account",
            Self::FullAccount => "session, not of an app password",
            Self::FullOrTakendown => "session, not of an app password, also of a taken-down account",
            Self::Refresh => "refresh token",
            Self::Admin => "administrator's password",
            Self::Moderator => "administrator's password, or a token of the moderation service",
        })
    }
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
    if !matches!(requirement, Requirement::Nothing | Requirement::Admin) {
        super::header::check(&parts.headers)?;
    }
    match requirement {
        Requirement::Nothing => {}
        Requirement::Viewer => {
            let viewer = Viewer::prove(app, parts).await?;
            parts.extensions.insert(viewer);
        }
        Requirement::Account | Requirement::ActiveAccount => {
            let access = settled(app, Access::prove(app, parts, ANY_SESSION).await?).await?;
            if requirement == Requirement::ActiveAccount {
                access.must_be_active()?;
            }
            parts.extensions.insert(access);
        }
        Requirement::AccountOrService => {
            let access = settled(app, Access::prove_or_service(app, parts).await?).await?;
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
            let access = settled(app, Access::prove(app, parts, scopes).await?).await?;
            parts.extensions.insert(access);
        }
        Requirement::Refresh => {
            let refresh = Refresh::prove(app, parts)?;
            parts.extensions.insert(refresh);
        }
        Requirement::Admin => Admin::prove(app, parts)?,
        Requirement::Moderator => Moderator::prove(app, parts).await?,
    }
    Ok(())
}

/// Ends a suspension that is over, so that the account takes commits again, and its followers know.
async fn settled(app: &App, access: Access) -> Result<Access, XrpcError> {
    let now = app.clock.now_us();
    if !access.account.suspension_is_over(now) {
        return Ok(access);
    }
    moderation::end_suspension(&app.db, access.account.id, now).await?;
    let account = app.accounts.by_did(&access.account.did).await?;
    let account = account.ok_or_else(|| XrpcError::named("AccountNotFound", "Account not found"))?;
    Ok(Access { account, ..access })
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
