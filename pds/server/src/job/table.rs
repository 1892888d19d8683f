//! The list of jobs.

use std::{sync::Arc, time::Duration};

use pds_config as config;
use pds_identity::plc::Directory;
use pds_store::{Db, Dialect};
use tokio::sync::Mutex;

use super::{
    account_purge,
    blob_store::Watch,
    cache_cleanup,
    crawl::Crawl,
    database_maintenance, expired_imports,
    health_check::{self, Dependencies},
    identity_changes,
    jobs::{Jobs, Setup},
    mails, reservations, sessions, suspensions,
    work::Job,
};
use crate::{
    blob::Blobs,
    identity::{Handles, Identities},
    mail::Mailer,
    sequencer::Sequencer,
};

/// What jobs work on.
pub struct Parts {
    /// Unreferenced blobs.
    pub blobs: Blobs,
    /// Changes of handles.
    pub handles: Handles,
    /// Changes of signing keys.
    pub identities: Identities,
    /// Old events.
    pub sequencer: Sequencer,
    /// Requests to relays; none if there are no relays.
    pub crawl: Option<Crawl>,
    /// Mails that wait.
    pub mailer: Mailer,
    /// Is checked.
    pub plc: Arc<dyn Directory>,
    /// How long the data of deleted accounts is kept.
    pub delete_grace: Duration,
    /// When jobs run.
    pub every: config::Jobs,
}

impl Jobs {
    /// All jobs of a server. In the order of their names.
    pub fn of_server(setup: Setup, parts: Parts) -> Self {
        let db = setup.db.clone();
        let mut jobs = for_all(&db, &parts);
        jobs.extend(for_each_replica(&setup, parts));
        jobs.sort_by_key(|job| job.name);
        Self::new(setup, jobs)
    }
}

fn for_all(db: &Db, parts: &Parts) -> Vec<Job> {
    let Parts { blobs, handles, identities, sequencer, mailer, plc, delete_grace: grace, every, .. } = parts;
    let (grace, database) = (*grace, || db.clone());
    let (db, store) = (database(), blobs.clone());
    let mut jobs = vec![Job::once("account_purge", every.account_purge, move |now| {
        account_purge::run(db.clone(), store.clone(), grace, now)
    })];
    let store = blobs.clone();
    jobs.push(Job::once("blob_orphan_sweep", every.blob_orphan_sweep, move |_| {
        let blobs = store.clone();
        async move { blobs.sweep().await.map(drop) }
    }));
    let db = database();
    let forget = move |now| cache_cleanup::forget_unused(db.clone(), now);
    jobs.push(Job::once("cache_cleanup", every.cache_cleanup, forget));
    let db = database();
    if db.dialect() == Dialect::Sqlite {
        let maintain = move |_| database_maintenance::maintain(db.clone());
        jobs.push(Job::once("database_maintenance", every.database_maintenance, maintain));
    }
    let sequencer = sequencer.clone();
    jobs.push(Job::once("event_retention", every.event_retention, move |now| {
        let sequencer = sequencer.clone();
        async move { sequencer.prune(now).await }
    }));
    let db = database();
    let undo = move |now| expired_imports::undo(db.clone(), now);
    jobs.push(Job::once("expired_imports", every.expired_imports, undo));
    let on = Dependencies { db: database(), blobs: blobs.clone(), mailer: mailer.clone(), plc: plc.clone() };
    jobs.push(Job::once("health_check", every.health_check, move |_| health_check::check(on.clone())));
    let (handles, identities) = (handles.clone(), identities.clone());
    jobs.push(Job::once("identity_changes", every.identity_changes, move |now| {
        identity_changes::finish(handles.clone(), identities.clone(), now)
    }));
    let db = database();
    jobs.push(Job::once("reservations", every.reservations, move |now| reservations::give_back(db.clone(), now)));
    let db = database();
    let forget = move |now| sessions::forget_expired(db.clone(), now);
    jobs.push(Job::once("session_cleanup", every.session_cleanup, forget));
    let db = database();
    jobs.push(Job::once("suspension_cleanup", every.suspension_cleanup, move |now| suspensions::end(db.clone(), now)));
    jobs
}

/// Jobs that serve their own replica: its view of the blob store, and mails and requests to relays, which replicas share among themselves.
fn for_each_replica(setup: &Setup, parts: Parts) -> Vec<Job> {
    let Parts { blobs, crawl, mailer, every, .. } = parts;
    let watch = Watch::new(blobs, setup.clock.clone(), setup.metrics.clone());
    let watched = move |_| watch.clone().look();
    let mut jobs = vec![Job::everywhere("blob_store_check", every.blob_store_check, watched)];
    if let Some(crawl) = crawl {
        let crawl = Arc::new(Mutex::new(crawl));
        jobs.push(Job::everywhere("crawl", every.crawl, move |_| {
            let crawl = crawl.clone();
            async move { Ok(crawl.lock().await.step().await?) }
        }));
    }
    let queue = mailer.clone();
    let send = move |_| mails::send(mailer.clone());
    jobs.push(Job::everywhere("mails", every.mails, send).woken_by(move || {
        let queue = queue.clone();
        async move { queue.woken().await }
    }));
    jobs
}
