//! Sessions, as their owner and administrators see them.

use pds_store::{
    AccountId,
    session::{self, Place, Session},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    clock::text,
    xrpc::{Result, XrpcError},
};

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page {
    pub(super) limit: u32,
    pub(super) cursor: Option<String>,
}

/// A page of the sessions of an account, of which `current` is the one that asks.
pub(super) async fn list(app: &App, account: AccountId, page: &Page, current: Option<&str>) -> Result<Value> {
    let after = page.cursor.as_deref().map(place).transpose()?;
    let found = session::page(&app.db, account, app.clock.now_us(), after, page.limit).await?;
    let is_full = found.len() == page.limit as usize;
    let sessions: Vec<_> = found.iter().map(|session| view(session, current)).collect();
    let mut output = json!({"sessions": sessions});
    if let Some(last) = found.last().filter(|_| is_full) {
        output["cursor"] = format!("{}::{}", last.refreshed_at, last.jti).into();
    }
    Ok(output)
}

/// `dev.auroralocus.server.defs#session`
fn view(session: &Session, current: Option<&str>) -> Value {
    let mut view = json!({
        "id": session.id,
        "createdAt": text(session.began_at),
        "refreshedAt": text(session.refreshed_at),
        "expiresAt": text(session.expires_at),
    });
    if let Some(current) = current {
        view["current"] = (session.id == current).into();
    }
    if let Some((name, privileged)) = &session.app_password {
        view["appPassword"] = json!({"name": name, "privileged": privileged});
        if let Some(scopes) = &session.scopes {
            view["appPassword"]["scopes"] = scopes.split(' ').collect();
        }
    }
    view
}

fn place(cursor: &str) -> Result<Place<'_>> {
    let parts = cursor.split_once("::");
    let place = parts.and_then(|(time, jti)| Some(Place { refreshed_at: time.parse().ok()?, jti }));
    place.ok_or_else(|| XrpcError::invalid("Malformed cursor"))
}

/// Ends a session of an account, with its access tokens, on every replica.
///
/// # Errors
/// 400 `SessionNotFound` if the account has no open session with this identifier.
pub(super) async fn end(app: &App, account: AccountId, id: &str) -> Result<()> {
    let now = app.clock.now_us();
    let mut tx = app.db.begin().await?;
    let found = session::named(&mut tx, account, now, id).await?;
    let found = found.ok_or_else(|| XrpcError::named("SessionNotFound", "There is no such session"))?;
    session::revoke(&mut tx, &found.jti, now + pds_crypto::session_token::ACCESS_SECONDS * 1_000_000).await?;
    Ok(tx.commit().await?)
}
