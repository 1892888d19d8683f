//! Storing one account: reserved first, complete at the end.

use std::collections::HashMap;

use pds_store::{
    AccountId, Tx,
    account::{self, NewAccount},
    app_password::{self, Kind, NewAppPassword},
    invite, preference, record, repo,
    session::{self, AppSession, RefreshToken},
};

use super::{
    Error, Parts, Refused,
    blobs::{self, Copied},
    source::{Source, StoredAppPassword},
};
use crate::actor::{import::Whole, key};

/// What became of an account.
pub(super) enum Outcome {
    Adopted(Copied),
    Refused(Refused),
}

/// Stores an account that is not there. When this returns it is complete, or not there.
pub(super) async fn adopt(parts: &Parts, source: &Source) -> Result<Outcome, Error> {
    let now = parts.clock.now_us();
    let id = match reserve(parts, source).await? {
        Ok(id) => id,
        Err(refused) => return Ok(Outcome::Refused(refused)),
    };
    let staging = source.repository.stage(&parts.db, id, now).await?;
    let copied = blobs::copy(parts, id, &source.did).await?;
    let swap = source.repository.swap(&staging, id, now).await?;
    let mut tx = swap.without_event().await?;
    complete(&mut tx, id, source, now).await?;
    tx.commit().await?;
    Ok(Outcome::Adopted(copied))
}

async fn reserve(parts: &Parts, source: &Source) -> Result<Result<AccountId, Refused>, Error> {
    let new = NewAccount {
        did: source.did.clone(),
        handle: source.handle.clone(),
        email: source.email.clone(),
        password_hash: source.password_hash.clone(),
        signing_key: key::seal(&parts.seal, &source.did, &source.key)?,
        created_at: source.created_at,
    };
    let mut tx = parts.db.begin().await?;
    let id = match account::reserve(&mut tx, &new).await {
        Ok(id) => id,
        Err(
            error @ (pds_store::Error::DidTaken { .. }
            | pds_store::Error::HandleTaken { .. }
            | pds_store::Error::EmailTaken),
        ) => return Ok(Err(Refused::Taken(error))),
        Err(error) => return Err(error.into()),
    };
    repo::create(&mut tx, id, &Whole::unsigned_head(), &[]).await?;
    tx.commit().await?;
    Ok(Ok(id))
}

/// Everything that makes the account visible, and what only a complete account has.
async fn complete(tx: &mut Tx, id: AccountId, source: &Source, now: i64) -> Result<(), Error> {
    account::activate(tx, id, source.created_at).await?;
    if let (Some(email), Some(at)) = (&source.email, source.email_confirmed_at) {
        account::confirm_email(tx, id, email, at).await?;
    }
    if source.invites_disabled {
        invite::set_disabled(tx, id, true, None).await?;
    }
    for one in &source.app_passwords {
        let StoredAppPassword { name, digest, privileged, created_at } = one;
        let new = NewAppPassword {
            account_id: id,
            name,
            kind: Kind::Scrypt,
            digest,
            privileged: *privileged,
            scopes: None,
            created_at: *created_at,
        };
        app_password::create(tx, &new).await?;
    }
    sessions(tx, id, source, now).await?;
    if let Some(preferences) = &source.preferences {
        preference::put(tx, id, preferences).await?;
    }
    for (path, reference) in &source.takedowns {
        record::set_takedown(tx, id, path, Some(reference)).await?;
    }
    if source.deactivated_at.is_some() {
        account::set_deactivated(tx, id, source.deactivated_at, source.delete_after).await?;
    }
    if let Some(reference) = &source.takedown_ref {
        account::set_takedown(tx, id, Some(reference)).await?;
    }
    Ok(())
}

/// Sessions that have not expired, but for those of an app password that was revoked.
async fn sessions(tx: &mut Tx, id: AccountId, source: &Source, now: i64) -> Result<(), Error> {
    let app_passwords = app_password::list(&mut *tx, id).await?;
    let app_passwords: HashMap<_, _> = app_passwords
        .iter()
        .map(|one| (one.name.as_str(), AppSession { id: one.id, privileged: one.privileged, scopes: None }))
        .collect();
    for one in source.sessions.iter().filter(|one| one.expires_at > now) {
        let app_password = match &one.app_password {
            None => None,
            Some(name) => match app_passwords.get(name.as_str()) {
                Some(app_password) => Some(app_password.clone()),
                None => continue,
            },
        };
        let token = RefreshToken {
            jti: one.jti.clone(),
            account_id: id,
            created_at: now,
            expires_at: one.expires_at,
            next_jti: one.next_jti.clone(),
            app_password,
        };
        session::create(tx, &token).await?;
    }
    Ok(())
}
