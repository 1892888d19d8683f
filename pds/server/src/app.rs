//! Everything that a request may use, put together. Modules to the left of this one take the parts that they use.

use std::{
    fmt,
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use pds_config::{Secrets, Settings};
use pds_crypto::{digest::DigestKey, seal::SealKey, session_token::SessionKey};
use pds_identity::{Resolver, plc};
use pds_store::Db;
use pds_syntax::{Did, tid};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    account::{
        Accounts,
        app_password::{self, AppPasswords},
        email::{self, Emails},
        invite::{self, Invites},
        password::Passwords,
        sign_up::{self, SignUps},
    },
    actor::{self, Actors, Committer, rules::Rules},
    blob::{self, Blobs},
    clock::Clock,
    identity::{self, Handles, Identities, Lexicons, Lookups, Schemas, identities},
    job::{self, Jobs, crawl::Crawl},
    mail::{self, Mailer},
    metrics::Metrics,
    outside::{Outside, record_rules, relays, resolver, templates, transports, upstreams},
    rate_limit::{Budget, Connections, RateLimits, Shares, Sizes},
    report::Failed,
    sequencer::Sequencer,
    upstream::Upstreams,
};

/// Maximum number of uploads under way, of all accounts and of one. Each takes memory or a file.
const UPLOADS: usize = 512;
const UPLOADS_OF_ONE: usize = 10;

/// Feeds whose services are remembered, and for how long.
const FEED_GENERATORS: u64 = 10_000;
const FEED_GENERATORS_TIME: Duration = Duration::from_secs(600);

/// How long a client may send nothing of an input, or take nothing of a blob, that others have no room for.
const SLOW_INPUT: Duration = Duration::from_secs(5);
const SLOW_READER: Duration = Duration::from_secs(10);

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
    /// Codes and news by mail.
    pub emails: Emails,
    /// Makes accounts.
    pub sign_ups: SignUps,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Makes invite codes.
    pub invites: Invites,
    /// Makes, finds and revokes app passwords.
    pub app_passwords: AppPasswords,
    /// Checks, resolves and changes handles.
    pub handles: Handles,
    /// Compares and changes the DID documents of accounts.
    pub identities: Identities,
    /// Finds the lexicons that others publish.
    pub lexicons: Lexicons,
    /// Finds the schemas of collections that are not built in.
    pub schemas: Schemas,
    /// Resolves DIDs and handles of other hosts.
    pub resolver: Resolver,
    /// Reads and writes the repositories of this host.
    pub actors: Actors,
    /// The host's own rules for records.
    pub record_rules: Rules,
    /// Stores commits.
    pub committer: Committer,
    /// Uploads, reads and deletes blobs.
    pub blobs: Blobs,
    /// Events in order.
    pub sequencer: Sequencer,
    /// Calls other services.
    pub upstreams: Upstreams,
    /// The services that make feeds, by the URI of the feed.
    pub feed_generators: moka::future::Cache<String, Did>,
    /// Sends requests to relays.
    pub relays: reqwest::Client,
    /// Background jobs.
    pub jobs: Jobs,
    /// Maximum memory and connections of all clients together.
    pub sizes: Sizes,
    /// Open connections of the public port.
    pub connections: Connections,
    /// Memory of inputs that are received or worked on.
    pub inputs: Budget,
    /// Blobs that are being sent to their readers.
    pub blob_readers: Budget,
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
    pub rotation: Arc<dyn plc::RotationKey>,
    /// Signs session tokens.
    pub session: SessionKey,
    /// Password of the user `admin`.
    pub admin_password: SecretString,
}

impl App {
    /// Puts the parts together and starts the tasks that belong to them. `db` must have the current schema.
    ///
    /// # Errors
    /// When a key or a certificate cannot be used.
    pub async fn start(settings: Settings, secrets: &Secrets, db: Db, outside: Outside) -> anyhow::Result<Self> {
        let Outside { blobs: store, plc, rotation, clock } = outside;
        let seal = SealKey::from_hex(secrets.key_encryption_key.expose_secret()).context("key encryption key")?;
        let seal = Arc::new(seal);
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
            lookups: Lookups::new(resolver.clone()),
            plc: plc.clone(),
            rotation: rotation.clone(),
            clock: clock.clone(),
            domains: settings.identity.handle_domains.clone(),
            shutdown: shutdown.clone(),
        });
        let identities = Identities::new(identities::Parts {
            db: db.clone(),
            resolver: resolver.clone(),
            plc: plc.clone(),
            rotation: rotation.clone(),
            seal: seal.clone(),
            actors: actors.clone(),
            clock: clock.clone(),
            endpoint: settings.service.public_url(),
            recovery_key: settings.identity.recovery_key.clone(),
        });
        let (transport, moderation) = transports(&settings, secrets)?;
        let mailer = Mailer::new(mail::Parts {
            db: db.clone(),
            seal: seal.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            templates: templates(&settings)?,
            transport,
            moderation,
            host: settings.service.hostname.clone(),
        });
        let has_link = settings.mail.confirmation_link;
        let relays = relays(secrets)?;
        let crawls = !settings.sync.crawlers.is_empty();
        let setup = job::Setup {
            db: db.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
            lease: settings.jobs.lease,
        };
        let jobs = Jobs::of_server(
            setup,
            job::Parts {
                blobs: blobs.clone(),
                handles: handles.clone(),
                identities: identities.clone(),
                sequencer: sequencer.clone(),
                crawl: crawls.then(|| crawl(&settings, &db, &relays, &clock, &metrics)),
                mailer: mailer.clone(),
                plc: plc.clone(),
                delete_grace: settings.mail.delete_grace,
                every: settings.jobs.clone(),
            },
        );
        let emails = Emails::new(email::Parts { db: db.clone(), mailer, clock: clock.clone(), has_link });
        let sign_ups = SignUps::new(sign_up::Parts {
            db: db.clone(),
            plc,
            rotation: rotation.clone(),
            seal,
            clock: clock.clone(),
            tids,
            emails: emails.clone(),
            endpoint: settings.service.public_url(),
            recovery_key: settings.identity.recovery_key.clone(),
        });
        let invites = Invites::new(invite::Parts {
            db: db.clone(),
            clock: clock.clone(),
            hostname: settings.service.hostname.clone(),
            rules: settings.invites.clone(),
        });
        let digests = DigestKey::derive(secrets.key_encryption_key.expose_secret(), "app passwords");
        let app_passwords = AppPasswords::new(app_password::Parts {
            db: db.clone(),
            key: digests.context("key encryption key")?,
            clock: clock.clone(),
        });
        let lexicons = Lexicons::new(db.clone(), resolver.clone(), metrics.clone(), clock.clone());
        let keys = Keys {
            rotation,
            session: SessionKey::new(secrets.jwt_secret.expose_secret()),
            admin_password: secrets.admin_password.clone(),
        };
        Ok(Self(Arc::new(Parts {
            accounts: Accounts::start(db.clone(), &failed),
            emails,
            sign_ups,
            passwords: Passwords::default(),
            invites,
            app_passwords,
            handles,
            identities,
            schemas: Schemas::new(lexicons.clone()),
            lexicons,
            resolver,
            actors,
            record_rules: record_rules(&settings)?,
            committer,
            blobs,
            sequencer,
            upstreams: upstreams(&settings, secrets, sizes, metrics.clone())?,
            feed_generators: moka::future::Cache::builder()
                .max_capacity(FEED_GENERATORS)
                .time_to_live(FEED_GENERATORS_TIME)
                .build(),
            relays,
            jobs,
            connections: Connections::new(sizes.connections, settings.service.trusted_proxies.clone()),
            sizes,
            inputs: Budget::of_moving(sizes.input_bytes, SLOW_INPUT),
            blob_readers: Budget::of_moving(sizes.blob_readers, SLOW_READER),
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

    /// The requests to relays, none of which has been made yet.
    pub fn crawl(&self) -> Crawl {
        crawl(&self.settings, &self.db, &self.relays, &self.clock, &self.metrics)
    }
}

fn crawl(settings: &Settings, db: &Db, relays: &reqwest::Client, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Crawl {
    Crawl::new(job::crawl::Parts {
        db: db.clone(),
        client: relays.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        hostname: settings.service.hostname.clone(),
        relays: settings.sync.crawlers.clone(),
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
