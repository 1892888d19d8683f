//! The requirements: their ids, which never change, and what each asks in a few words.

// tidy: long because it is one row for each requirement, in one place

/// A subject with its requirements.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Requirement],
}

/// What is asked.
pub(crate) struct Requirement {
    /// `AL-SUBJECT-NUMBER`, which tests cite in a comment, or the name of a setting or a route, which tests use.
    pub(crate) id: &'static str,
    pub(crate) asks: &'static str,
    pub(crate) standing: Standing,
}

/// The part of a requirement that tests show.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    /// All of it, if a test cites it.
    Whole,
    /// All but this.
    Partly(&'static str),
    /// It is not for this table, for this reason.
    Outside(&'static str),
}

const fn row(id: &'static str, asks: &'static str) -> Requirement {
    Requirement { id, asks, standing: Standing::Whole }
}

const fn outside(id: &'static str, asks: &'static str, reason: &'static str) -> Requirement {
    Requirement { id, asks, standing: Standing::Outside(reason) }
}

impl Requirement {
    const fn partly(self, missing: &'static str) -> Self {
        Self { standing: Standing::Partly(missing), ..self }
    }
}

pub(super) const DESK: &str = "belongs to the moderator's desk, which is work of its own";
const BACKUP: &str = "backups are work of their own";

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        title: "Accounts, sessions, app passwords, invites",
        rows: &[
            row("AL-ACC-1", "sign up, log in, refresh and log out with an ordinary client"),
            row("AL-ACC-2", "hashes from elsewhere (bcrypt, scrypt) open an account and become argon2id"),
            row("AL-ACC-3", "no usable token in the database"),
            row("AL-ACC-4", "a new password ends all sessions, on every replica; app passwords stay"),
            row("AL-ACC-5", "each change of an account's state is one event; the strongest cause shows"),
            row("AL-ACC-6", "errors reveal nothing internal; any web page may call XRPC, without credentials"),
            row(
                "AL-APP-1",
                "app passwords are made, shown once, listed, revoked with their sessions, and stored hashed",
            ),
            row("AL-APP-2", "an app password may not do what only the owner may; one may be limited to collections"),
            row("AL-INV-1", "a missing, unknown, used up, disabled or expired invite code makes no account")
                .partly("no method and no command makes codes that expire"),
            row("AL-INV-2", "parallel sign-ups with one code of one use make one account"),
            row("AL-INV-3", "a host may ask for no codes, and says so"),
        ],
    },
    Section {
        title: "Repositories, sync, blobs",
        rows: &[
            row("AL-REP-1", "each write changes the revision; exports verify with an independent library"),
            row("AL-REP-2", "a batch is one commit and one event, or nothing; it is much faster than single writes")
                .partly("how much faster batches are"),
            row("AL-REP-3", "records are checked against lexicons; errors name the path inside the record"),
            row("AL-REP-4", "a host's own rules refuse a write and name the rule"),
            row("AL-REP-5", "an account beyond its quota cannot grow, and can delete"),
            row("AL-SYN-1", "an export is one snapshot, from which another server computes the same root"),
            row("AL-SYN-2", "`since` gives what changed; an unknown or future one gives everything"),
            row("AL-SYN-3", "compressed exports decode to the same bytes")
                .partly("bytes that were compressed with zstd"),
            row("AL-SYN-4", "lists of repositories lose and repeat nobody while accounts come and go")
                .partly("ten thousand accounts"),
            row("AL-SYN-5", "exactly one event for each durable change, whenever a process is killed"),
            row("AL-SYN-6", "an official consumer follows the firehose and verifies everything"),
            row(
                "AL-SYN-7",
                "a consumer goes on from its cursor on any replica; one that stalls is let go, at nobody's cost",
            ),
            row("AL-BLB-1", "an upload is seen once a record refers to it; what nobody refers to goes after a day"),
            row("AL-BLB-2", "large uploads cost little memory, and leave nothing when they are cut"),
            row("AL-BLB-3", "types and ranges of blobs; headers that keep browsers safe"),
            row("AL-BLB-4", "headers for caches and CDNs; a takedown reaches them in time")
                .partly("a CDN that forgets"),
            row("AL-BLB-5", "a method for width, height, type, size and alternative text"),
            row("AL-BLB-6", "thumbnails at a bounded cost"),
        ],
    },
    Section {
        title: "Identity and federation",
        rows: &[
            row("AL-IDN-1", "DIDs and handles are resolved and cached; parallel lookups ask once"),
            row("AL-IDN-2", "after a change of handle, directory, database, replicas and events agree"),
            row("AL-IDN-3", "PLC operations with a mailed code; a malformed one is refused by field"),
            row("AL-IDN-4", "a directory that is away changes nothing; a new document is seen at once"),
            row("AL-IDN-5", "the document of the service and of hosted did:web accounts, by host"),
            row("AL-IDN-6", "did:plc and did:web alike, moving included"),
            row("AL-FED-1", "accounts move between this server and the reference, and between two of this server"),
            row(
                "AL-FED-2",
                "users of one host call services of another; wrong audience, method, time or key is refused",
            ),
            row("AL-FED-3", "a relay follows; its last contact and its lag are shown")
                .partly("when a relay was last seen"),
            row("AL-FED-4", "search over local and subscribed records"),
            row("AL-FED-5", "a collection over chosen hosts as one feed"),
        ],
    },
    Section {
        title: "Rate limits",
        rows: &[
            row("AL-RL-1", "tiers of anonymous callers, accounts and the administrator"),
            row("AL-RL-2", "each method with a limit of its own refuses at its number, not before")
                .partly("the limits per day, and the one of `getRepo`"),
            row("AL-RL-3", "headers tell the truth about the tightest limit; a refusal says when to come back"),
            row("AL-RL-4", "replicas share one budget over Redis"),
            row("AL-RL-5", "buckets, fixed windows and sliding logs, each where it fits"),
            row("AL-RL-6", "without Redis limits go on per replica; logins stay guarded; one warning, one metric"),
            row("AL-RL-7", "a forged header does not make a caller another"),
            row("AL-RL-8", "limits are on unless the host switches them off; probes are free"),
        ],
    },
    Section {
        title: "Moderation",
        rows: &[
            row("AL-MOD-1", "one check keeps moderated accounts from every reader who may not see them")
                .partly("an audit of what moderators read"),
            row("AL-MOD-2", "a suspension with an end: no writes, own export, others are told"),
            row("AL-MOD-3", "takedowns of accounts, records and blobs"),
            outside("AL-MOD-4", "a queue of reports", DESK),
            outside("AL-MOD-5", "labels can be queried", DESK),
            outside("AL-MOD-6", "labels come with content", DESK),
            outside("AL-MOD-7", "labels follow the preferences of clients", DESK),
        ],
    },
    Section {
        title: "Mail, deletion, data protection",
        rows: &[
            row(
                "AL-MAIL-1",
                "mails as text and HTML, kept until they are sent; without a mail server each method says so",
            ),
            row("AL-MAIL-2", "an address is confirmed with a code that is used once, within 15 minutes"),
            row("AL-MAIL-3", "a host may ask for a confirmed address before posts, uploads or invites"),
            row("AL-MAIL-4", "a password is reset by mail; nobody learns who has an account"),
            row("AL-LIFE-1", "an account is deleted with DID, password and mailed code together"),
            row(
                "AL-LIFE-2",
                "a deleted account can be restored for a while; then a purge ends the same whenever it is killed",
            ),
            row("AL-LIFE-3", "nothing but a tombstone is left; owners can fetch an export"),
        ],
    },
    Section {
        title: "Jobs",
        rows: &[
            row("AL-JOB-0", "one replica runs a job for all; a failure is tried again and stops no other"),
            row("AL-JOB-1", "expired sessions and codes are cleaned up"),
            row("AL-JOB-2", "suspensions that are over are cleared, with one event each"),
            row("AL-JOB-3", "what others publish is forgotten when it is stale"),
            row("AL-JOB-4", "database, blobs, mail, directory and disk are asked whether they work")
                .partly("failures of mail, directory and disk"),
            row("AL-JOB-5", "uploads that nobody refers to are swept"),
            row("AL-JOB-6", "accounts are purged whose time is over"),
            outside("AL-JOB-7", "backups at the host's times", BACKUP),
            row("AL-JOB-8", "the database is maintained").partly("what maintenance does"),
        ],
    },
    Section {
        title: "Observability",
        rows: &[
            row("AL-OBS-1", "metrics on a port of their own, without anybody's name in a label")
                .partly("a scrape by Prometheus, and the queries of dashboards"),
            row(
                "AL-OBS-2",
                "one line for each request, found by its id; slow queries, failed logins, acts of administrators; no secrets",
            ),
            row("AL-OBS-3", "logs as JSON or text, with levels, and fewer lines of busy methods"),
            row("AL-OBS-4", "live, ready, and health in detail")
                .partly("a server is ready without its blob store, since it serves records without it"),
            row("AL-OBS-5", "traces through SQL and S3 at an OpenTelemetry collector"),
            row("AL-OBS-6", "dashboards and alerts that are tested"),
        ],
    },
    Section {
        title: "Settings",
        rows: &[
            row("DATABASE_TYPE", "the kind of database; refused if the URL says something else"),
            row("DATABASE_URL", "another name of `PDS_DATABASE_URL`"),
            row("POSTGRES_MAX_CONNECTIONS", "limits of the pool of connections"),
            row("POSTGRES_MIN_CONNECTIONS", "connections that stay open"),
            row("POSTGRES_CONNECT_TIMEOUT", "how long a connection may take"),
            row("POSTGRES_IDLE_TIMEOUT", "when an unused connection is closed"),
            row("POSTGRES_MAX_LIFETIME", "how old a connection may become"),
            row("PDS_BLOBSTORE_TYPE", "the kind of blob store; refused if other settings say something else"),
            row("PDS_BLOBSTORE_S3_BUCKET", "blobs in a bucket, with its region, endpoint and keys"),
            row("CACHE_ENABLED", "whether Redis is used"),
            row("CACHE_KEY_PREFIX", "two instances on one Redis keep apart"),
            row("REDIS_URL", "where Redis is"),
            row("REDIS_POOL_SIZE", "the limit of connections to Redis"),
            row("CACHE_DID_DOC_TTL", "how long a DID document counts as fresh"),
            row("RATE_LIMIT_DISTRIBUTED", "whether replicas share limits; refused without Redis"),
            row("RATE_LIMIT_UNAUTHENTICATED", "requests of an anonymous caller in a minute"),
            row("RATE_LIMIT_AUTHENTICATED", "requests of an account in a minute"),
            row("RATE_LIMIT_ADMIN", "requests of the administrator in a minute"),
            row("RUST_LOG", "what is logged"),
            row("LOG_LEVEL", "the same in the words of the reference"),
            row("LOG_ENABLED", "whether anything is logged"),
            row("PDS_LOG_SAMPLE", "fewer lines of busy methods"),
            row("PDS_SLOW_QUERY_MS", "which statements are slow"),
            row("OTEL_EXPORTER_OTLP_ENDPOINT", "the collector of traces, with its headers"),
            row("OTEL_TRACES_SAMPLER", "which requests are traced"),
        ],
    },
    Section {
        title: "Routes that are no methods",
        rows: &[
            row("/metrics", "metrics"),
            row("/livez", "whether the process lives"),
            row("/readyz", "whether it should get requests"),
            row("/xrpc/_health", "the same, where clients of the reference look"),
            row("/health", "health in detail, for the host"),
            row("/health/live", "another name of `/livez`"),
            row("/health/ready", "another name of `/readyz`"),
            row("/.well-known/did.json", "the document of the service, or of a hosted did:web"),
            row("/.well-known/atproto-did", "whose handle the host name is"),
            row("/openapi.json", "all methods with their parameters"),
            outside("/admin", "pages for moderators", DESK),
        ],
    },
];

/// Subjects whose requirements have proofs of other kinds, with the number of ids of each. Tests may cite them.
pub(crate) const ELSEWHERE: &[(&str, u32, &str)] = &[
    ("ADM", 4, "administration"),
    ("STO", 9, "storage"),
    ("CCH", 4, "caching"),
    ("SCL", 3, "replicas"),
    ("DEP", 5, "deployment"),
    ("PRF", 8, "performance"),
    ("TST", 1, "tests"),
    ("DOC", 4, "documents"),
];

/// Whether an id is one of the table, or of a subject that is shown elsewhere.
pub(crate) fn is_known(id: &str) -> bool {
    let of_elsewhere = |(subject, count, _): &(&str, u32, &str)| {
        let number =
            id.strip_prefix("AL-").and_then(|rest| rest.strip_prefix(subject)?.strip_prefix('-')?.parse().ok());
        number.is_some_and(|number: u32| (1..=*count).contains(&number))
    };
    SECTIONS.iter().flat_map(|section| section.rows).any(|row| row.id == id) || ELSEWHERE.iter().any(of_elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_others_unknown() {
        let ids: Vec<_> = SECTIONS.iter().flat_map(|section| section.rows).map(|row| row.id).collect();
        assert!(ids.iter().all(|id| ids.iter().filter(|other| *other == id).count() == 1 && is_known(id)));
        assert!(is_known("AL-STO-9") && !is_known("AL-STO-10") && !is_known("AL-ACC-7") && !is_known("AL-XYZ-1"));
    }
}
