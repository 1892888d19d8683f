//! What an account has written since a revision, and what is needed to show it.

use std::collections::HashMap;

use futures::future::try_join_all;
use pds_repo::record as codec;
use pds_store::{
    account::Account,
    record::{self, Record, Written},
    repo,
};
use pds_syntax::{Did, Nsid, RepoPath, Tid};
use serde_json::Value;

use super::{call::json, failure::Failure, target::Target};
use crate::{
    app::App,
    clock,
    rate_limit::Client,
    read_after_write::{Images, Local, LocalRecord, Lookup, Viewer, lookups},
    task::run_blocking,
    xrpc::{Result, XrpcError},
};

const POSTS: &str = "app.bsky.feed.post";
const PROFILES: &str = "app.bsky.actor.profile";
const OWN_PROFILE: &str = "app.bsky.actor.profile/self";
/// Maximum number of posts that are added.
const MAX_POSTS: u32 = 10;

/// Bytes of one record that is added, and of all posts together. Posts of people have some hundred.
const MAX_BYTES: usize = 64 * 1024;
/// Memory of one record, and of all posts together, when they are unpacked.
const MAX_UNPACKED: usize = 4 << 20;
/// Longer records are unpacked on a thread that may block.
const SHORT: usize = 8 * 1024;

/// What an account has written, as it is stored: a service may take its time to answer.
#[derive(Debug, Default)]
pub(super) struct Recent {
    profile: Option<Written>,
    posts: Vec<Written>,
}

impl Recent {
    /// Whether there is nothing to add.
    pub(super) fn is_empty(&self) -> bool {
        self.profile.is_none() && self.posts.is_empty()
    }

    pub(super) fn has_profile(&self) -> bool {
        self.profile.is_some()
    }

    /// How far the service is behind at `now_us`, in milliseconds.
    pub(super) fn lag_ms(&self, now_us: i64) -> Option<i64> {
        let oldest = self.all().map(|written| written_us(written.rev)).min()?;
        Some((now_us - oldest).max(0) / 1_000)
    }

    /// Memory that [`Recent::unpack`] takes.
    pub(super) fn unpacked_bytes(&self) -> usize {
        self.all().map(|written| unpacked_bytes(&written.record)).sum()
    }

    /// The records as values, to add to an answer that has arrived.
    pub(super) async fn unpack(self, account: &Account) -> Result<Local> {
        let length: usize = self.all().map(|written| written.record.body.len()).sum();
        let did = account.did.clone();
        let unpack = move || {
            let local = |written: Written| local(&did, written);
            let posts = self.posts.into_iter().map(local).collect::<Result<_>>()?;
            Ok(Local { profile: self.profile.map(local).transpose()?, posts })
        };
        if length <= SHORT { unpack() } else { run_blocking(unpack).await }
    }

    fn all(&self) -> impl Iterator<Item = &Written> {
        self.profile.iter().chain(&self.posts)
    }
}

/// What the account has written after `rev`, which a service knows. Nothing if the service has never seen this repository. Large records are left out.
pub(super) async fn written_since(app: &App, account: &Account, rev: Tid) -> Result<Recent> {
    let head = repo::rev(&app.db, account.id).await?;
    if head.is_none_or(|head| head <= rev) {
        return Ok(Recent::default());
    }
    let written = async |collection: &str, most| {
        let collection: Nsid = collection.parse().expect("a constant");
        record::written_since(&app.db, account.id, &collection, rev, most, MAX_BYTES).await
    };
    let (posts, profiles) = tokio::try_join!(written(POSTS, MAX_POSTS), written(PROFILES, 1))?;
    if posts.is_empty() && profiles.is_empty() || !record::is_any_older(&app.db, account.id, rev).await? {
        return Ok(Recent::default());
    }
    let is_own = |written: &Written| written.record.path.as_str() == OWN_PROFILE && is_light(&written.record);
    Ok(Recent { profile: profiles.into_iter().find(is_own), posts: light(posts) })
}

/// Without the posts that are too much beside those before them.
fn light(posts: Vec<Written>) -> Vec<Written> {
    let (mut bytes, mut unpacked) = (0, 0);
    let fits = |post: &Written| {
        let (more, heavier) = (bytes + post.record.body.len(), unpacked_bytes(&post.record).saturating_add(unpacked));
        let fits = more <= MAX_BYTES && heavier <= MAX_UNPACKED;
        if fits {
            (bytes, unpacked) = (more, heavier);
        }
        fits
    };
    let mut posts = posts;
    posts.retain(fits);
    posts
}

fn is_light(record: &Record) -> bool {
    record.body.len() <= MAX_BYTES && unpacked_bytes(record) <= MAX_UNPACKED
}

/// Memory of a stored record as a value. One that is damaged is never unpacked.
fn unpacked_bytes(record: &Record) -> usize {
    codec::Shape::of_cbor(&record.body).map_or(usize::MAX, |shape| shape.json_bytes() + record.body.len() * 2)
}

fn written_us(rev: Tid) -> i64 {
    i64::try_from(rev.micros()).unwrap_or(i64::MAX)
}

fn local(did: &Did, Written { record, rev }: Written) -> Result<LocalRecord> {
    Ok(LocalRecord {
        uri: format!("at://{did}/{}", record.path),
        cid: record.cid.to_string(),
        indexed_at: clock::text(written_us(rev)),
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
            profile: profile.as_ref().filter(|profile| is_light(profile)).map(value).transpose()?,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn post(value: &Value) -> Written {
        let codec::Record { cid, bytes, .. } = codec::from_json(value).unwrap();
        Written {
            record: Record { path: "a.b.c/d".parse().unwrap(), cid, body: bytes },
            rev: Tid::from_micros(5_000_000, 0),
        }
    }

    #[test]
    fn posts_that_are_too_much_are_left_out_and_the_others_are_not() {
        let small = || post(&json!({"text": "small"}));
        let posts = vec![
            small(),
            post(&json!({"more": vec![[0]; 10_000]})),
            post(&json!({"more": "x".repeat(40_000)})),
            post(&json!({"more": "y".repeat(40_000)})),
            small(),
        ];
        let recent = Recent { profile: None, posts: light(posts) };
        let lengths: Vec<_> = recent.all().map(|post| post.record.body.len() / 10_000).collect();
        assert_eq!(lengths, [0, 4, 0]);
        assert!(recent.unpacked_bytes() <= MAX_UNPACKED && !recent.is_empty());
        assert_eq!((recent.lag_ms(7_500_000), Recent::default().lag_ms(5)), (Some(2_500), None));
    }
}
