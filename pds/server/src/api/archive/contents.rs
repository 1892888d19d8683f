//! What an archive contains. Never a password, a hash, a key or a token.

use bytes::Bytes;
use futures::Stream;
use pds_blobstore::{BlobKey, Error as BlobError};
use pds_repo::{Cid, Head};
use pds_store::{
    account::{Account, Status},
    app_password::AppPassword,
    blob::{self, Blob, State},
    invite, preference,
};
use serde_json::{Value, json};

use super::write::{Archive, Stopped};
use crate::{
    account::preference::visible,
    actor::export::Measured,
    api::{
        inactive,
        invite::views_with_ends,
        session::{self, Page},
    },
    app::App,
    clock,
    xrpc::{Result, XrpcError},
};

/// Sessions in the file of the account. Whoever has more has a program that signs in over and over.
const SESSIONS: usize = 1_000;
/// Blobs of one page of the list, and missing ones that the manifest lists. It counts the others.
const PAGE: u32 = 100;
const LISTED: usize = 10_000;

/// What is known before the first byte, and what the manifest is made of.
pub(super) struct Contents {
    account: Account,
    account_file: Value,
    preferences: Value,
    manifest: Value,
}

/// What was sent of the blobs, and what was not.
#[derive(Default)]
struct Blobs {
    count: u64,
    bytes: u64,
    missing: u64,
    listed: Vec<Value>,
}

impl Contents {
    /// With a repository at `head`, whose file has `repo_bytes`.
    pub(super) async fn of(app: &App, account: &Account, head: &Head, repo_bytes: u64) -> Result<Self> {
        let now = app.clock.now_us();
        let stored = preference::get(&app.db, account.id).await?;
        let preferences = visible(stored.as_deref(), true, now)
            .map_err(|error| XrpcError::internal("reading preferences", &error))?;
        let manifest = json!({
            "format": "dev.auroralocus.account.getExport",
            "version": 1,
            "did": account.did,
            "server": app.settings.service.hostname,
            "createdAt": clock::text(now),
            "repository": {"root": head.commit, "rev": head.rev, "bytes": repo_bytes},
        });
        Ok(Self {
            account_file: account_file(app, account, now).await?,
            preferences: json!({"preferences": preferences}),
            account: account.clone(),
            manifest,
        })
    }

    /// Sends the archive. If it is broken off, the reader sees that, and the log says why.
    pub(super) async fn send<E: std::error::Error + 'static>(
        self,
        app: &App,
        repository: Measured<impl Stream<Item = Result<Bytes, E>> + Send>,
        archive: Archive,
    ) {
        let did = self.account.did.clone();
        match self.send_all(app, repository, archive).await {
            Ok(()) => tracing::info!(account.did = %did, "exported everything of {did}"),
            Err(Stopped::Reader) => {
                tracing::info!(account.did = %did, "the reader of an export of everything of {did} went away");
            }
            Err(Stopped::Failed(reason)) => {
                tracing::warn!(account.did = %did, "an export of everything of {did} was broken off: {reason}");
            }
        }
    }

    async fn send_all<E: std::error::Error + 'static>(
        mut self,
        app: &App,
        repository: Measured<impl Stream<Item = Result<Bytes, E>> + Send>,
        archive: Archive,
    ) -> Result<(), Stopped> {
        archive.json("account.json", &self.account_file).await?;
        archive.json("preferences.json", &self.preferences).await?;
        let Measured { bytes, file, place, .. } = repository;
        archive.file("repo.car", bytes, Box::pin(file)).await?;
        // What follows may take hours, and is no export of a repository to whoever waits for one.
        drop(place);
        let Blobs { count, bytes, missing, listed } = self.send_blobs(app, &archive).await?;
        self.manifest["blobs"] = json!({"count": count, "bytes": bytes});
        self.manifest["missing"] = json!({"count": missing, "blobs": listed});
        archive.json("manifest.json", &self.manifest).await?;
        archive.end().await
    }

    async fn send_blobs(&self, app: &App, archive: &Archive) -> Result<Blobs, Stopped> {
        let (id, mut blobs, mut after) = (self.account.id, Blobs::default(), None);
        loop {
            let page = blob::all(&app.db, id, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.cid);
            for blob in page {
                match send_blob(app, archive, &blob).await? {
                    Ok(()) => {
                        blobs.count += 1;
                        blobs.bytes += blob.size;
                    }
                    Err(reason) => blobs.miss(&blob.cid, reason),
                }
            }
        }
        let mut after = None;
        loop {
            let page = blob::never_uploaded(&app.db, id, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(blobs) };
            after = Some(*last);
            page.iter().for_each(|cid| blobs.miss(cid, "notUploaded"));
        }
    }
}

impl Blobs {
    fn miss(&mut self, cid: &Cid, reason: &str) {
        self.missing += 1;
        if self.listed.len() < LISTED {
            self.listed.push(json!({"cid": cid, "reason": reason}));
        }
    }
}

/// Sends a blob, or says why it is left out.
async fn send_blob(app: &App, archive: &Archive, blob: &Blob) -> Result<Result<(), &'static str>, Stopped> {
    if blob.state == State::TakenDown {
        return Ok(Err("takenDown"));
    }
    let Ok(key) = blob.storage_key.parse::<BlobKey>() else { return Ok(Err("lost")) };
    let object = match app.blobs.store().get(&key, None).await {
        Ok(object) => object,
        Err(BlobError::NotFound { .. }) => {
            // Its owner may have deleted it since the list was read.
            let still_there = blob::get(&app.db, blob.account_id, &blob.cid).await?.is_some();
            if still_there {
                app.blobs.mark_lost(blob).await?;
            }
            return Ok(Err(if still_there { "lost" } else { "deleted" }));
        }
        Err(error) => return Err(Stopped::failed(format_args!("blob {}", blob.cid), &error)),
    };
    if object.size != blob.size {
        tracing::error!(cid = %blob.cid, "the object of blob {} has {} bytes, not {}", blob.cid, object.size, blob.size);
        return Ok(Err("damaged"));
    }
    if blob.lost_at.is_some() {
        app.blobs.mark_found(blob).await?;
    }
    archive.file(&format!("blobs/{}", blob.cid), blob.size, object.stream).await.map(Ok)
}

/// `account.json`: what the methods of the account's owner say about it, in the same words.
async fn account_file(app: &App, account: &Account, now: i64) -> Result<Value> {
    let status = account.status_at(now);
    let mut file = json!({
        "did": account.did,
        "handle": account.handle,
        "email": account.email,
        "emailConfirmedAt": account.email_confirmed_at.map(clock::text),
        "emailAuthFactor": account.email_auth_factor,
        "createdAt": clock::text(account.created_at),
        "active": status == Status::Active,
        "status": inactive(status),
        "deactivatedAt": account.deactivated_at.map(clock::text),
        "deleteAfter": account.delete_after.map(clock::text),
        "inviteCodes": views_with_ends(&app.db, invite::of_account(&app.db, account.did.as_str()).await?).await?,
        "usedInviteCode": invite::used_by(&app.db, account.id).await?.map(|invite| invite.code),
    });
    let app_password = |AppPassword { name, privileged, scopes, created_at, .. }| json!({"name": name, "privileged": privileged, "scopes": scopes, "createdAt": clock::text(created_at)});
    let app_passwords = app.app_passwords.list(account).await?;
    file["appPasswords"] = app_passwords.into_iter().map(app_password).collect();
    (file["sessions"], file["moreSessions"]) = sessions(app, account).await?;
    Ok(file)
}

/// The open sessions, and whether there are more.
async fn sessions(app: &App, account: &Account) -> Result<(Value, Value)> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let mut page = session::list(app, account.id, &Page { limit: PAGE, cursor }, None).await?;
        if let Value::Array(found) = page["sessions"].take() {
            all.extend(found);
        }
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() || all.len() >= SESSIONS {
            return Ok((all.into(), cursor.is_some().into()));
        }
    }
}
