//! Everything that a request may use, in one place.

use std::{fmt, ops::Deref, sync::Arc, time::Instant};

use anyhow::Context;
use pds_blobstore::{BlobStore, Disk, S3, S3Checksum, S3Options};
use pds_config::{AllowRule, Secrets, Settings, var};
use pds_crypto::{SigningKey, seal::SealKey, session_token::SessionKey};
use pds_identity::{Guard, Resolver, Roots, plc};
use pds_store::Db;
use pds_syntax::tid;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    account::{self, password::Passwords},
    actor::{Actors, Committer},
    blob,
    clock::Clock,
    metrics::Metrics,
    rate_limit::{Connections, RateLimits, Shares, Sizes},
    report::Failed,
    sequencer::Sequencer,
};

/// Uploads at once, of all accounts and of one: each has memory or a file, and one account shall not have all.
const UPLOADS: usize = 512;
const UPLOADS_OF_ONE: usize = 10;

/// The running server. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// As read at start.
    pub settings: Settings,
    /// Secrets in the form they are used in.
    pub keys: Keys,
    /// Tables.
    pub db: Db,
    /// What the database last said when it was asked whether it is there, for all who ask within a second.
    pub database_answer: Mutex<Option<DatabaseAnswer>>,
    /// Blobs' bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Where did:plc identities are kept.
    pub plc: Arc<dyn plc::Directory>,
    /// Asks relays to crawl this server.
    pub relays: reqwest::Client,
    /// Other people's DIDs and handles.
    pub resolver: Resolver,
    /// Accounts that requests come from or ask for, as they are now.
    pub accounts: account::Desk,
    /// Accounts whose objects were looked for lately.
    pub blob_checks: blob::Checks,
    /// Accounts whose uploads are beyond their limit.
    pub uploads: blob::Closed,
    /// Repositories in memory.
    pub actors: Actors,
    /// Makes commits durable.
    pub committer: Committer,
    /// Events in order.
    pub sequencer: Sequencer,
    /// Password hashing under a memory bound.
    pub passwords: Passwords,
    /// What clients together may take.
    pub sizes: Sizes,
    /// Open connections of the public port.
    pub connections: Connections,
    /// Uploads under way, by account.
    pub upload_shares: Shares,
    /// How much whom.
    pub rate_limits: RateLimits,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Revisions and record keys.
    pub tids: tid::Clock,
    /// A part without which nothing works has ended.
    pub failed: Failed,
    /// Cancelled when the server is to stop: readiness ends, subscriptions close.
    pub shutdown: CancellationToken,
}

/// When the database was asked, and why it cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseAnswer {
    /// When the answer came.
    pub at: Instant,
    /// The answer.
    pub answer: Result<(), &'static str>,
}

/// Keys, parsed.
pub struct Keys {
    /// Signs PLC operations.
    pub rotation: SigningKey,
    /// Signs session tokens.
    pub session: SessionKey,
    /// Seals repositories' keys in the database.
    pub seal: SealKey,
    /// Of the user `admin`.
    pub admin_password: SecretString,
}

/// The parts that tests replace.
pub struct Outside {
    /// Blobs' bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Where did:plc identities are kept.
    pub plc: Arc<dyn plc::Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Puts the parts together and starts the tasks that belong to them: committer, sequencer. `db` must have the current schema.
    pub async fn start(settings: Settings, secrets: &Secrets, db: Db, outside: Outside) -> anyhow::Result<Self> {
        let Outside { blobs, plc, clock } = outside;
        let keys = Keys {
            rotation: SigningKey::from_hex(secrets.plc_rotation_key.expose_secret()).context("PLC rotation key")?,
            session: SessionKey::new(secrets.jwt_secret.expose_secret()),
            seal: SealKey::from_hex(secrets.key_encryption_key.expose_secret()).context("key encryption key")?,
            admin_password: secrets.admin_password.clone(),
        };
        let allow = settings.outbound.allow.clone();
        let guard = Guard::new(
            Arc::new(move |host, address| {
                allow.iter().any(|rule: &AllowRule| rule.allows_host(host) || rule.allows_address(address))
            }),
            settings.identity.resolver_timeout,
            &roots(secrets)?,
        )?;
        let resolver = Resolver::new(
            guard,
            plc.clone(),
            pds_identity::Options {
                fresh: settings.identity.did_cache_stale_ttl,
                stale: settings.identity.did_cache_max_ttl,
                entries: 20_000,
                backup_nameservers: settings.identity.backup_nameservers.clone(),
            },
        );
        let shutdown = CancellationToken::new();
        let rate_limits = RateLimits::start(&settings, secrets, shutdown.clone()).await?;
        let failed = Failed::default();
        let (metrics, sizes) = (Metrics::default(), Sizes::new(&settings));
        let sequencer = Sequencer::start(db.clone(), &settings.sync, sizes, &failed, shutdown.clone());
        let committer = Committer::start(db.clone(), sequencer.clone(), clock.clone(), &failed);
        Ok(Self(Arc::new(Parts {
            // Two replicas that write at the same microsecond must not make the same TID.
            tids: tid::Clock::new(rand::random()),
            accounts: account::Desk::start(db.clone()),
            blob_checks: blob::Checks::default(),
            uploads: blob::Closed::default(),
            actors: Actors::new(sizes),
            passwords: Passwords::default(),
            connections: Connections::new(sizes.connections, settings.service.trusted_proxies.clone()),
            sizes,
            upload_shares: Shares::new(UPLOADS, UPLOADS_OF_ONE),
            settings,
            keys,
            db,
            database_answer: Mutex::default(),
            blobs,
            plc,
            relays: relays(secrets)?,
            resolver,
            committer,
            sequencer,
            rate_limits,
            metrics,
            clock,
            failed,
            shutdown,
        })))
    }
}

/// The authorities that outgoing connections trust.
pub fn roots(secrets: &Secrets) -> anyhow::Result<Roots> {
    match &secrets.ca_bundle {
        Some(bundle) => Roots::with_pem(bundle.pem()).context(var::CA_FILE),
        None => Ok(Roots::default()),
    }
}

/// What asks relays, which are the choice of this host's owner.
fn relays(secrets: &Secrets) -> anyhow::Result<reqwest::Client> {
    let client = roots(secrets)?.trusted_by(reqwest::Client::builder());
    Ok(client.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// Opens the blob store that the settings name.
pub async fn open_blob_store(settings: &Settings, secrets: &Secrets) -> anyhow::Result<Arc<dyn BlobStore>> {
    Ok(match &settings.blob.store {
        pds_config::BlobStore::Disk(disk) => Arc::new(Disk::open(&disk.location, &disk.tmp_location)?),
        pds_config::BlobStore::S3(s3) => Arc::new(
            S3::connect(S3Options {
                bucket: s3.bucket.clone(),
                region: s3.region.clone(),
                endpoint: s3.endpoint.clone(),
                public_endpoint: s3.public_endpoint.clone(),
                force_path_style: s3.force_path_style,
                checksum: match s3.checksum {
                    pds_config::S3Checksum::WhenSupported => S3Checksum::WhenSupported,
                    pds_config::S3Checksum::WhenRequired => S3Checksum::WhenRequired,
                },
                credentials: secrets.s3.as_ref().map(|keys| pds_blobstore::Credentials {
                    access_key_id: keys.access_key_id.clone(),
                    secret_access_key: keys.secret_access_key.clone(),
                }),
                ca_bundle: secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned()),
                upload_timeout: s3.upload_timeout,
                request_timeout: s3.request_timeout,
                upload_memory_bytes: Sizes::new(settings).upload_bytes,
            })
            .await,
        ),
    })
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({})", self.settings.service.hostname)
    }
}
