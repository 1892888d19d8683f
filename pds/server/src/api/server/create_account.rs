use axum::extract::State;
use pds_crypto::PublicKey;
use pds_store::{
    account::{self, Status},
    invite,
};
use pds_syntax::{Did, Handle};
use serde::Deserialize;
use serde_json::Value;

use super::session::{self, Session};
use crate::{
    account::{
        email::address,
        password::MAX_CHARS,
        sign_up::{self, SignUp},
    },
    api::identity::refuse_handle,
    app::App,
    auth::{Caller, Issuer, OptionalIssuer},
    mail::Languages,
    rate_limit::Client,
    report::chain,
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.createAccount`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAccountInput {
    handle: Handle,
    email: Option<String>,
    password: Option<String>,
    invite_code: Option<String>,
    did: Option<Did>,
    recovery_key: Option<String>,
    plc_op: Option<Value>,
}

/// `com.atproto.server.createAccount`
pub async fn create_account(
    State(app): State<App>,
    caller: Caller,
    OptionalIssuer(issuer): OptionalIssuer,
    client: Client,
    languages: Languages,
    Procedure(input): Procedure<CreateAccountInput>,
) -> Result<Output<Session>> {
    if input.plc_op.is_some() {
        return Err(XrpcError::invalid("Unsupported input: \"plcOp\""));
    }
    let handle = input.handle;
    let own_did = own_did(issuer, input.did)?;
    let email = input.email.as_deref().map(email).transpose()?;
    if own_did.is_none() && email.is_none() {
        return Err(XrpcError::invalid("Email is required"));
    }
    let password = input.password.filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| XrpcError::invalid("Password is required"))?;
    if password.chars().count() > MAX_CHARS {
        return Err(XrpcError::invalid(format!("Password too long. Maximum length is {MAX_CHARS} characters.")));
    }
    let recovery_key = input.recovery_key.as_deref().map(recovery_key).transpose()?;
    let invite_code = invite(&app, input.invite_code).await?;
    app.handles.check(&handle, own_did.as_ref(), &client.subject).await.map_err(refuse_handle)?;
    available(&app, own_did.as_ref(), &handle, email.as_deref()).await?;

    let hashed = app.passwords.hash(&password, &client.subject).await?;
    let sign_up = SignUp { handle, email, password_hash: Some(hashed), invite_code, recovery_key, own_did, languages };
    let account = app.sign_ups.create(sign_up).await.map_err(refuse)?;
    caller.set_did(&account.did);
    tracing::info!(account.did = %account.did, "created account {} of {}", account.handle, account.did);
    session::open(&app, &account).await.map(Output)
}

/// The DID that the caller brings: proven by a service token that the DID's own key signed.
fn own_did(issuer: Option<Issuer>, wanted: Option<Did>) -> Result<Option<Did>> {
    let Some(did) = wanted else { return Ok(None) };
    match issuer {
        Some(Issuer { did: proven, service: None }) if proven == did => Ok(Some(did)),
        _ => Err(XrpcError::auth_required(format!("Missing auth to create account with did: {did}"))),
    }
}

/// An e-mail address of valid form, in lower case.
pub(in crate::api) fn email(text: &str) -> Result<String> {
    address::check(text).map_err(|error| XrpcError::invalid(error.to_string()))
}

fn recovery_key(text: &str) -> Result<Did> {
    PublicKey::from_did_key(text).map_err(|error| XrpcError::invalid(format!("Input/recoveryKey: {error}")))?;
    text.parse().map_err(|_| XrpcError::invalid("Input/recoveryKey must be a did:key"))
}

/// The invite code of a new account. One that is given must be good, also where none is asked for.
async fn invite(app: &App, code: Option<String>) -> Result<Option<String>> {
    let Some(code) = code.filter(|code| !code.is_empty()) else {
        return match app.settings.invite_required {
            true => Err(XrpcError::named("InvalidInviteCode", "No invite code provided")),
            false => Ok(None),
        };
    };
    if !invite::is_usable(&app.db, &code, app.clock.now_us()).await? {
        return Err(unusable_invite());
    }
    Ok(Some(code))
}

fn unusable_invite() -> XrpcError {
    XrpcError::named("InvalidInviteCode", "Provided invite code not available")
}

async fn available(app: &App, own_did: Option<&Did>, handle: &Handle, email: Option<&str>) -> Result<()> {
    // First: a person who tries again after a lost answer has taken handle and address already.
    if let Some(did) = own_did
        && account::by_did(&app.db, did).await?.is_some_and(|account| account.status() != Status::Creating)
    {
        return Err(taken_did());
    }
    if account::by_handle(&app.db, handle).await?.is_some() {
        return Err(XrpcError::invalid(format!("Handle already taken: {handle}")));
    }
    if let Some(email) = email
        && account::by_email(&app.db, email).await?.is_some()
    {
        return Err(XrpcError::invalid(format!("Email already taken: {email}")));
    }
    Ok(())
}

fn taken_did() -> XrpcError {
    XrpcError::named("AlreadyExists", "Repo already exists")
}

/// The answer to a failure after the checks, of the reservation or the directory.
fn refuse(error: sign_up::Error) -> XrpcError {
    use pds_store::Error as Store;
    match error {
        sign_up::Error::Store(Store::HandleTaken { handle }) => {
            XrpcError::invalid(format!("Handle already taken: {handle}"))
        }
        sign_up::Error::Store(Store::EmailTaken) => XrpcError::invalid("Email already taken"),
        sign_up::Error::Store(Store::DidTaken { .. }) => taken_did(),
        sign_up::Error::Store(Store::InviteUnusable) => unusable_invite(),
        sign_up::Error::Store(error) => error.into(),
        sign_up::Error::Publish { source: pds_identity::Error::Unreachable { .. }, .. } => {
            tracing::warn!(
                error = chain(&error),
                "createAccount failed: the PLC directory could not be reached, and nothing was created"
            );
            XrpcError::unavailable("The PLC directory is not available, try again", 5)
        }
        sign_up::Error::Unsigned(_) => {
            tracing::error!(
                error = chain(&error),
                "createAccount failed: the PLC rotation key cannot be used, and nothing was created"
            );
            XrpcError::unavailable("The key that signs identities is not available, nothing was created, try again", 5)
        }
        error => XrpcError::internal("creating an account", &error),
    }
}
