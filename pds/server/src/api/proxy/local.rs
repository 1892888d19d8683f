//! What an account has written since a revision, and what is needed to show it.

use std::collections::HashMap;

use futures::future::try_join_all;
use pds_repo::record as codec;
use pds_store::{
    account::Account,
    record::{self, Record, Written},
    repo,
};
use pds_syntax::{Nsid, RepoPath, Tid};
use serde_json::Value;

use super::{call::json, failure::Failure, target::Target};
use crate::{
    app::App,
    clock,
    rate_limit::Client,
    read_after_write::{Images, Local, LocalRecord, Lookup, Viewer, lookups},
    xrpc::{Result, XrpcError},
};

const POSTS: &str = "app.bsky.feed.post";
const PROFILES: &str = "app.bsky.actor.profile";
const OWN_PROFILE: &str = "app.bsky.actor.profile/self";
/// Maximum number of posts that are added.
const MAX_POSTS: u32 = 10;

/// What the account has written after `rev`, which a service knows. Nothing if the service has never seen this repository.
pub(super) async fn written_since(app: &App, account: &Account, rev: Tid) -> Result<Local> {
    let head = repo::rev(&app.db, account.id).await?;
    if head.is_none_or(|head| head <= rev) {
        return Ok(Local::default());
    }
    let written = async |collection: &str, most| {
        let collection: Nsid = collection.parse().expect("a constant");
        record::written_since(&app.db, account.id, &collection, rev, most).await
    };
    let (posts, profiles) = tokio::try_join!(written(POSTS, MAX_POSTS), written(PROFILES, 1))?;
    if posts.is_empty() && profiles.is_empty() || !record::is_any_older(&app.db, account.id, rev).await? {
        return Ok(Local::default());
    }
    let local = |written: Written| local(account, written);
    let profile = profiles.into_iter().find(|written| written.record.path.as_str() == OWN_PROFILE);
    Ok(Local { profile: profile.map(local).transpose()?, posts: posts.into_iter().map(local).collect::<Result<_>>()? })
}

fn local(account: &Account, Written { record, rev }: Written) -> Result<LocalRecord> {
    let written_us = i64::try_from(rev.micros()).unwrap_or(i64::MAX);
    Ok(LocalRecord {
        uri: format!("at://{}/{}", account.did, record.path),
        cid: record.cid.to_string(),
        written_us,
        indexed_at: clock::text(written_us),
        value: value(&record)?,
    })
}

fn value(record: &Record) -> Result<Value> {
    let damaged = |error: &dyn std::error::Error| XrpcError::internal("reading a stored record", error);
    let mut text = Vec::new();
    codec::write_json(&record.body, &mut text).map_err(|error| damaged(&error))?;
    serde_json::from_slice(&text).map_err(|error| damaged(&error))
}

/// What records of an account are shown with.
pub(super) struct Scene {
    did: String,
    handle: String,
    profile: Option<Value>,
    images: Images,
    quoted: HashMap<String, Value>,
}

impl Scene {
    /// Asks the app view for the records that posts quote.
    pub(super) async fn load(
        app: &App,
        account: &Account,
        client: &Client,
        posts: &[LocalRecord],
    ) -> Result<Self, Failure> {
        let path: RepoPath = OWN_PROFILE.parse().expect("a constant");
        let profile = match posts.is_empty() {
            true => None,
            false => record::visible(&app.db, account.id, &path).await.map_err(XrpcError::from)?,
        };
        let quoted =
            try_join_all(lookups(posts).into_iter().map(|lookup| quoted(app, account, client, lookup))).await?;
        Ok(Self {
            did: account.did.to_string(),
            handle: account.handle.to_string(),
            profile: profile.as_ref().map(value).transpose()?,
            images: images(app),
            quoted: quoted.into_iter().flatten().collect(),
        })
    }

    pub(super) fn viewer(&self) -> Viewer<'_> {
        let Self { did, handle, profile, images, quoted } = self;
        Viewer { did, handle, profile: profile.as_ref(), images, quoted }
    }
}

fn images(app: &App) -> Images {
    match &app.settings.services.cdn_url_pattern {
        Some(pattern) => Images::Pattern(pattern.clone()),
        None => Images::Pds(app.settings.service.public_url()),
    }
}

async fn quoted(
    app: &App,
    account: &Account,
    client: &Client,
    lookup: Lookup,
) -> Result<Option<(String, Value)>, Failure> {
    let Some(target) = Target::app_view(app) else { return Ok(None) };
    let params = [(lookup.parameter, lookup.uri.as_str())];
    let answer = json(app, &target, Some(account), client, lookup.method, &params).await?;
    Ok(lookup.view(&answer).map(|view| (lookup.uri, view)))
}
