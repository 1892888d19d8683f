use axum::{extract::State, http::StatusCode};
use data_encoding::HEXLOWER;
use pds_store::{
    account::{self, Account, Status},
    app_password::AppPassword,
    email_token::Purpose,
    session::AppSession,
};
use pds_syntax::AtIdentifier;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::session::{self, Session};
use crate::{
    account::{
        app_password::ImportedError,
        password::{MAX_OLD_CHARS, Passwords},
    },
    app::App,
    auth::{Caller, account_takedown},
    http::rate_limit::Meter,
    mail::{Kind, Languages},
    rate_limit::{Client, GUESSES, LOGINS, SIGN_IN_CODES},
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.createSession`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSessionInput {
    identifier: String,
    password: String,
    auth_factor_token: Option<String>,
    allow_takendown: Option<bool>,
}

/// `com.atproto.server.createSession`
///
/// An unknown account costs as much work as a wrong password and gets the same answer.
pub async fn create_session(
    State(app): State<App>,
    caller: Caller,
    meter: Meter,
    client: Client,
    languages: Languages,
    Procedure(input): Procedure<CreateSessionInput>,
) -> Result<Output<Session>> {
    let identifier = normalized(&input.identifier);
    meter.charge(&app, &LOGINS, &pair(&identifier, meter.address()), 1).await?;
    if input.password.chars().count() > MAX_OLD_CHARS {
        return Err(XrpcError::auth_required("Password too long. Consider resetting your password."));
    }
    let account = find(&app, &identifier).await?;
    // By account, whichever of its identifiers is used. One that does not exist is limited too.
    let who = account.as_ref().map_or(identifier, |account| account.did.to_string());
    let place = pair(&who, &client.subject);
    if !app.rate_limits.has_logged_in(&place).await {
        meter.charge(&app, &GUESSES, &pair(&who, ""), 1).await?;
    }
    let Some((account, app_password)) = prove(&app, account, &input.password, &client).await? else {
        app.metrics.auth_failed("password");
        return Err(wrong_password());
    };
    caller.set_did(&account.did);
    // An app password is for programs, which cannot read mails; it has fewer rights instead.
    if account.email_auth_factor && app_password.is_none() {
        second_factor(&app, &account, input.auth_factor_token.as_deref(), &meter, &languages).await?;
    }
    app.rate_limits.remember_login(place).await;
    if account.status() == Status::TakenDown && !input.allow_takendown.unwrap_or(false) {
        return Err(account_takedown());
    }
    // The app password may have been revoked a moment ago.
    match session::open_with(&app, &account, app_password).await? {
        Some(session) => Ok(Output(session)),
        None => Err(wrong_password()),
    }
}

/// Handles and addresses are the same in every case, a did:web with a port is not.
fn normalized(identifier: &str) -> String {
    let identifier = identifier.trim();
    if identifier.starts_with("did:") { identifier.to_owned() } else { identifier.to_lowercase() }
}

fn wrong_password() -> XrpcError {
    XrpcError::auth_required("Invalid identifier or password")
}

/// The account, if the password is its own or one of its app passwords, and the app password that it is.
async fn prove(
    app: &App,
    account: Option<Account>,
    password: &str,
    client: &Client,
) -> Result<Option<(Account, Option<AppSession>)>> {
    // Nobody moves a taken-down account elsewhere with an app password.
    let holder = account.as_ref().filter(|account| account.status() != Status::TakenDown);
    if let Some(holder) = holder {
        // App passwords come first: after a wrong password of the account this address would wait for the rest of its turn.
        let found = match app.app_passwords.find(holder, password).await? {
            Some(found) => Some(found),
            None => imported(app, holder, password, client).await?,
        };
        if let Some(found) = found {
            let app_password = AppSession { id: found.id, privileged: found.privileged, scopes: found.scopes };
            return Ok(account.map(|account| (account, Some(app_password))));
        }
    }
    let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
    if !app.passwords.verify(stored, password, &client.subject).await? {
        return Ok(None);
    }
    if let Some(account) = &account {
        upgrade(app, account, password, client).await;
    }
    Ok(account.map(|account| (account, None)))
}

/// The app password that came from elsewhere and is this one.
async fn imported(app: &App, holder: &Account, password: &str, client: &Client) -> Result<Option<AppPassword>> {
    let found = app.app_passwords.find_imported(holder, password, &app.passwords, &client.subject).await;
    found.map_err(|error| match error {
        ImportedError::Store(error) => error.into(),
        ImportedError::Hash(error) => error.into(),
    })
}

/// Replaces a hash that came from elsewhere, now that the password is known. The login succeeds whether or not this does.
async fn upgrade(app: &App, account: &Account, password: &str, client: &Client) {
    let Some(former) = account.password_hash.as_deref().filter(|hash| Passwords::is_outdated(hash)) else { return };
    let upgraded = async {
        let hash = app.passwords.hash(password, &client.subject).await?;
        let mut tx = app.db.begin().await?;
        account::upgrade_password_hash(&mut tx, account.id, former, &hash).await?;
        tx.commit().await?;
        Ok::<_, XrpcError>(())
    };
    match upgraded.await {
        Ok(()) => tracing::info!(account.did = %account.did, "replaced an old password hash of {}", account.did),
        Err(_) => {
            tracing::warn!(account.did = %account.did, "an old password hash of {} was not replaced yet", account.did)
        }
    }
}

/// Accepts the mailed code of a sign-in, or mails one and asks for it.
async fn second_factor(
    app: &App,
    account: &Account,
    code: Option<&str>,
    meter: &Meter,
    languages: &Languages,
) -> Result<()> {
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        return Ok(app.emails.accept_sign_in(account, code).await?);
    }
    let required = |message: &str| XrpcError::new(StatusCode::UNAUTHORIZED, "AuthFactorTokenRequired", message);
    if !app.emails.mailer().can_send(Kind::SignIn) {
        return Err(required(
            "A sign in code is required, and this server cannot send e-mail. Its administrator can give you the code.",
        ));
    }
    meter.charge(app, &SIGN_IN_CODES, account.did.as_str(), 1).await?;
    app.emails.request(account, Purpose::AuthFactor, languages).await?;
    Err(required("A sign in code has been sent to your email address"))
}

/// Account and address of a login as one text of limited length that reveals neither.
pub(super) fn pair(identifier: &str, address: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{address} {identifier}"))[..16])
}

async fn find(app: &App, identifier: &str) -> pds_store::Result<Option<Account>> {
    let found = if identifier.contains('@') {
        account::by_email(&app.db, identifier).await?
    } else {
        match identifier.parse() {
            Ok(AtIdentifier::Did(did)) => account::by_did(&app.db, &did).await?,
            Ok(AtIdentifier::Handle(handle)) => account::by_handle(&app.db, &handle).await?,
            Err(_) => None,
        }
    };
    Ok(found.filter(Account::exists))
}
