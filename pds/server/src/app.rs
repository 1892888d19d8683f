//! Everything that a request may use, put together. Modules to the left of this one take the parts that they use.

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
    account::{
        Accounts,
        password::Passwords,
        sign_up::{self, SignUps},
    },
    actor::{self, Actors, Committer},
    blob::{self, Blobs},
    clock::Clock,
    identity::{self, Handles},
    job::{self, crawl::Crawl},
    metrics::Metrics,
    rate_limit::{Connections, RateLimits, Shares, Sizes},
    report::Failed,
    sequencer::Sequencer,
};

/// Maximum number of uploads under way, of all accounts and of one. Each takes memory or a file.
const UPLOADS: usize = 512;
const UPLOADS_OF_ONE: usize = 10;

/// The running server. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// As read at the start.
    pub settings: Settings,
    /// Secrets in the form in which they are used.
    pub keys: Keys,
    /// The database.
    pub db: Db,
    /// The result of the last check of the database, for all health requests within a second.
    pub database_answer: Mutex<Option<DatabaseAnswer>>,
    /// Reads accounts.
    pub accounts: Accounts,
    /// Makes accounts.
    pub sign_ups: SignUps,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Checks, resolves and changes handles.
    pub handles: Handles,
    /// Resolves DIDs and handles of other hosts.
    pub resolver: Resolver,
    /// Reads and writes the repositories of this host.
    pub actors: Actors,
    /// Stores commits.
    pub committer: Committer,
    /// Uploads, reads and deletes blobs.
    pub blobs: Blobs,
    /// Events in order.
    pub sequencer: Sequencer,
    /// Sends requests to relays.
    pub relays: reqwest::Client,
    /// Maximum memory and connections of all clients together.
    pub sizes: Sizes,
    /// Open connections of the public port.
    pub connections: Connections,
    /// Uploads under way, by account.
    pub upload_shares: Shares,
    /// Rate limits per caller.
    pub rate_limits: RateLimits,
    /// The content of `/metrics`.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Tells when a part without which nothing works has ended.
    pub failed: Failed,
    /// Cancelled when the server is to stop: readiness ends, subscriptions close.
    pub shutdown: CancellationToken,
}

/// The result of a check of the database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseAnswer {
    /// When the answer arrived.
    pub at: Instant,
    /// Why the database cannot be used, if it cannot.
    pub answer: Result<(), &'static str>,
}

/// The server's keys, parsed.
pub struct Keys {
    /// Signs PLC operations.
    pub rotation: Arc<SigningKey>,
    /// Signs session tokens.
    pub session: SessionKey,
    /// Password of the user `admin`.
    pub admin_password: SecretString,
}

/// The parts that tests replace.
pub struct Outside {
    /// The bytes of blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// Where did:plc identities are published.
    pub plc: Arc<dyn plc::Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Puts the parts together and starts the tasks that belong to them. `db` must have the current schema.
    ///
    /// # Errors
    /// When a key or a certificate cannot be used.
    pub async fn start(settings: Settings, secrets: &Secrets, db: Db, outside: Outside) -> anyhow::Result<Self> {
        let Outside { blobs: store, plc, clock } = outside;
        let rotation = SigningKey::from_hex(secrets.plc_rotation_key.expose_secret()).context("PLC rotation key")?;
        let seal = SealKey::from_hex(secrets.key_encryption_key.expose_secret()).context("key encryption key")?;
        let (rotation, seal) = (Arc::new(rotation), Arc::new(seal));
        let resolver = resolver(&settings, secrets, plc.clone())?;
        let shutdown = CancellationToken::new();
        let rate_limits = RateLimits::start(&settings, secrets, shutdown.clone()).await?;
        let failed = Failed::default();
        let (metrics, sizes) = (Metrics::default(), Sizes::new(&settings));
        // Two replicas that write in the same microsecond must not make the same TID.
        let tids = Arc::new(tid::Clock::new(rand::random()));
        let sequencer = Sequencer::start(db.clone(), &settings.sync, sizes, &failed, shutdown.clone());
        let committer = Committer::start(db.clone(), sequencer.clone(), clock.clone(), &failed);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let actors = Actors::new(actor::Parts {
            db: db.clone(),
            committer: committer.clone(),
            seal: seal.clone(),
            clock: clock.clone(),
            tids: tids.clone(),
            metrics: metrics.clone(),
            import: settings.import.clone(),
            sizes,
            connections: settings.database.connections(cores),
        });
        let blobs = Blobs::new(blob::Parts {
            db: db.clone(),
            store,
            settings: settings.blob.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        });
        let handles = Handles::new(identity::Parts {
            db: db.clone(),
            resolver: resolver.clone(),
            plc: plc.clone(),
            rotation: rotation.clone(),
            clock: clock.clone(),
            domains: settings.identity.handle_domains.clone(),
            shutdown: shutdown.clone(),
        });
        let sign_ups = SignUps::new(sign_up::Parts {
            db: db.clone(),
            plc,
            rotation: rotation.clone(),
            seal,
            clock: clock.clone(),
            tids,
            endpoint: settings.service.public_url(),
            recovery_key: settings.identity.recovery_key.clone(),
        });
        let keys = Keys {
            rotation,
            session: SessionKey::new(secrets.jwt_secret.expose_secret()),
            admin_password: secrets.admin_password.clone(),
        };
        Ok(Self(Arc::new(Parts {
            accounts: Accounts::start(db.clone(), &failed),
            sign_ups,
            passwords: Passwords::default(),
            handles,
            resolver,
            actors,
            committer,
            blobs,
            sequencer,
            relays: relays(secrets)?,
            connections: Connections::new(sizes.connections, settings.service.trusted_proxies.clone()),
            sizes,
            upload_shares: Shares::new(UPLOADS, UPLOADS_OF_ONE),
            rate_limits,
            settings,
            keys,
            db,
            database_answer: Mutex::default(),
            metrics,
            clock,
            failed,
            shutdown,
        })))
    }

    /// What background jobs work on.
    pub fn job_parts(&self) -> job::Parts {
        job::Parts {
            db: self.db.clone(),
            blobs: self.blobs.clone(),
            sequencer: self.sequencer.clone(),
            crawl: self.crawl(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            shutdown: self.shutdown.clone(),
        }
    }

    /// The requests to relays, none of which has been made yet.
    pub fn crawl(&self) -> Crawl {
        Crawl::new(job::crawl::Parts {
            db: self.db.clone(),
            client: self.relays.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            hostname: self.settings.service.hostname.clone(),
            relays: self.settings.sync.crawlers.clone(),
        })
    }
}

/// Resolves DIDs and handles of other hosts, within the networks that the settings allow.
fn resolver(settings: &Settings, secrets: &Secrets, plc: Arc<dyn plc::Directory>) -> anyhow::Result<Resolver> {
    let allow = settings.outbound.allow.clone();
    let guard = Guard::new(
        Arc::new(move |host, address| {
            allow.iter().any(|rule: &AllowRule| rule.allows_host(host) || rule.allows_address(address))
        }),
        settings.identity.resolver_timeout,
        &roots(secrets)?,
    )?;
    Ok(Resolver::new(
        guard,
        plc,
        pds_identity::Options {
            fresh: settings.identity.did_cache_stale_ttl,
            stale: settings.identity.did_cache_max_ttl,
            entries: 20_000,
            backup_nameservers: settings.identity.backup_nameservers.clone(),
        },
    ))
}

/// The authorities that outgoing connections trust.
///
/// # Errors
/// When a certificate of `PDS_CA_FILE` cannot be used.
pub fn roots(secrets: &Secrets) -> anyhow::Result<Roots> {
    match &secrets.ca_bundle {
        Some(bundle) => Roots::with_pem(bundle.pem()).context(var::CA_FILE),
        None => Ok(Roots::default()),
    }
}

/// Sends requests to relays. The host's owner has chosen them, so any address is allowed.
fn relays(secrets: &Secrets) -> anyhow::Result<reqwest::Client> {
    let client = roots(secrets)?.trusted_by(reqwest::Client::builder());
    Ok(client.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// Opens the blob store that the settings name.
///
/// # Errors
/// When a folder of a disk store cannot be used.
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
